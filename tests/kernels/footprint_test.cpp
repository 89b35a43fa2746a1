// The filter of maps that turn and shrink (kernels/footprint.h), against the upright one and
// against what a filter must do.
#include "kernels/footprint.h"

#include <cmath>
#include <map>
#include <vector>

#include "core/rng.h"
#include "core/tensor.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::kernels;

namespace {

const Window kAll;  // what has a window goes by footprints, upright or not

template <class F>
Tensor make_image(int64_t height, int64_t width, F&& value) {
  Tensor image = Tensor::empty({1, height, width, 1});
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      image.data<float>()[y * width + x] = static_cast<float>(value(x + 0.5, y + 0.5));
  return image;
}
Tensor noise(int64_t height, int64_t width) {
  Rng rng(3);
  return make_image(height, width, [&](double, double) { return rng.uniform(); });
}

std::vector<float> sample(const Tensor& image, const AugmentRow& row, int64_t height,
                          int64_t width) {
  CpuContext ctx{1};
  Tensor out = Tensor::empty({1, height, width, 1});
  augment(ctx, image.view(), {&row, 1}, out.view());
  return out.to_vector<float>();
}

AugmentRow averaging(const Affine& inverse) {
  AugmentRow row;
  row.inverse = inverse;
  row.average = true;
  return row;
}

Affine turned(double angle, double scale_x, double scale_y, double from, double to) {
  return Affine::translation(-0.5 * to, -0.5 * to)
      .then(Affine::scaling(scale_x, scale_y))
      .then(Affine::rotation(angle))
      .then(Affine::translation(0.5 * from, 0.5 * from));
}

double root_mean_square(const std::vector<float>& a, const std::vector<float>& b, int64_t size,
                        int64_t border) {
  double sum = 0, count = 0;
  for (int64_t y = border; y < size - border; ++y)
    for (int64_t x = border; x < size - border; ++x) {
      const double d = double{a[static_cast<size_t>(y * size + x)]} -
                       double{b[static_cast<size_t>(y * size + x)]};
      sum += d * d, ++count;
    }
  return std::sqrt(sum / count);
}

}  // namespace

namespace {

// What source pixel i weighs in an output pixel that shows the point `centre` of one axis, and that
// is s > 1 pixels wide: the triangle of a resize, and bilinear samples with the weights of one.
using Weights = std::map<int, double>;
Weights scaled_to_one(Weights weights) {
  double sum = 0;
  for (const auto& [i, weight] : weights) sum += weight;
  for (auto& [i, weight] : weights) weight /= sum;
  return weights;
}
Weights resize_weights(double s, double centre) {
  Weights out;
  for (int i = static_cast<int>(centre - s) - 2; i < centre + s + 2; ++i)
    out[i] = std::max(0.0, 1 - std::fabs(i + 0.5 - centre) / s);
  return scaled_to_one(out);
}
Weights footprint_weights(double s, double centre) {
  const double n = std::ceil(s), distance = std::sqrt((s * s - 1) / (n * n - 1));
  Weights out;
  for (double k = 1 - n; k < n; ++k) {
    const double at = centre + k * distance - 0.5, left = std::floor(at);
    out[static_cast<int>(left)] += (n - std::fabs(k)) * (1 - (at - left));
    out[static_cast<int>(left) + 1] += (n - std::fabs(k)) * (at - left);
  }
  return scaled_to_one(out);
}

}  // namespace

TEST_CASE("footprint: of an upright map the antialiasing filter of a resize") {
  const Tensor image = noise(60, 60);
  for (const double scale : {1.0, 2.0, 3.0, 4.0, 0.5, 1.2, 1.5, 2.4, 3.7}) {
    const auto size = static_cast<int64_t>(60 / scale);
    AugmentRow row = averaging(Affine::scaling(scale, scale));
    const std::vector<float> expected = sample(image, row, size, size);
    row.windows = {&kAll, 1};
    const std::vector<float> got = sample(image, row, size, size);
    INFO("scale " << scale);
    const double difference = root_mean_square(got, expected, size, 1);
    if (scale == std::floor(scale) || scale < 1) {  // a whole number of pixels becomes one
      CHECK(difference < 1e-6);
      continue;
    }
    // Between, the two differ on noise by its deviation times the root of the summed squares by
    // which their weights differ: as much as the variance of a triangle leaves open.
    double squares = 0, worst = 0;
    for (int64_t y = 1; y < size - 1; ++y)
      for (int64_t x = 1; x < size - 1; ++x) {
        const auto at = [&](int64_t i) { return scale * (static_cast<double>(i) + 0.5); };
        const Weights across = footprint_weights(scale, at(x)),
                      down = footprint_weights(scale, at(y));
        Weights wide_across = resize_weights(scale, at(x)),
                wide_down = resize_weights(scale, at(y));
        for (const auto& [i, weight] : across) wide_across[i] += 0;
        for (const auto& [j, weight] : down) wide_down[j] += 0;
        double value = 0;
        for (const auto& [j, v] : wide_down)
          for (const auto& [i, u] : wide_across) {
            const auto of = [](const Weights& w, int k) { return w.contains(k) ? w.at(k) : 0.0; };
            const double weight = of(across, i) * of(down, j);
            squares += (u * v - weight) * (u * v - weight);
            if (weight > 0) value += weight * image.data<float>()[j * 60 + i];
          }
        worst = std::max(worst, std::fabs(value - got[static_cast<size_t>(y * size + x)]));
      }
    const double deviation = std::sqrt(1.0 / 12);  // of uniform noise
    const double predicted =
        deviation * std::sqrt(squares / static_cast<double>((size - 2) * (size - 2)));
    CHECK(worst < 1e-5);
    CHECK(difference == Approx(predicted).epsilon(0.2));
    CHECK(predicted < 0.012);
  }
}

TEST_CASE("footprint: a quarter turn of a reduced image is the reduced image, turned") {
  const Tensor image = noise(48, 48);
  const std::vector<float> upright = sample(image, averaging(Affine::scaling(3, 3)), 16, 16);
  // The output's x axis runs down the source, its y axis to the left.
  const std::vector<float> got =
      sample(image, averaging(turned(std::acos(-1.0) / 2, 3, 3, 48, 16)), 16, 16);
  for (size_t y = 0; y < 16; ++y)
    for (size_t x = 0; x < 16; ++x)
      CHECK(got[y * 16 + x] == Approx(upright[x * 16 + (15 - y)]).margin(1e-5));
}

TEST_CASE("footprint: straight gradients stay straight, at any angle, scale and shear") {
  const auto colour = [](double x, double y) { return 0.3 + 0.01 * x - 0.004 * y; };
  const Tensor image = make_image(80, 80, colour);
  Rng rng(1);
  for (int i = 0; i < 60; ++i) {
    const Affine map = Affine{1, rng.uniform(-0.5, 0.5), 0, 0, 1, 0}.then(
        turned(rng.uniform(-3, 3), rng.uniform(0.4, 5), rng.uniform(0.4, 5), 80, 20));
    const std::vector<float> got = sample(image, averaging(map), 20, 20);
    std::vector<FootprintWindow> none;
    const Footprint footprint(averaging(map), {80, 80}, none);
    int inside = 0;
    for (int64_t y = 0; y < 20; ++y)
      for (int64_t x = 0; x < 20; ++x) {
        const Point p = map(Point{x + 0.5, y + 0.5});
        const float value = got[static_cast<size_t>(y * 20 + x)];
        if (footprint.inside(none.data(), p.x, p.y)) {
          ++inside;
          REQUIRE(value == Approx(colour(p.x, p.y)).margin(2e-5));
        } else if (p.x < 0 || p.y < 0 || p.x >= 80 || p.y >= 80) {
          REQUIRE(value == 0);
        } else {  // an average of what is there, none of the fill
          REQUIRE((value > 0.3f + 0.01f - 0.004f * 81 && value < 0.3f + 0.01f * 81));
        }
      }
    REQUIRE(inside > 20);
  }
}

TEST_CASE("footprint: what the canvas cannot show does not alias") {
  // Stripes finer than the canvas can show: bilinear sampling invents coarse ones.
  const Tensor stripes = make_image(160, 160, [](double x, double y) {
    return 0.5 + 0.5 * std::sin(2 * 3.14159265 * (0.31 * x + 0.22 * y));
  });
  const auto contrast = [&](bool average, double angle) {
    AugmentRow row = averaging(turned(angle, 4, 4, 160, 24));
    row.average = average;
    const std::vector<float> got = sample(stripes, row, 24, 24);
    return root_mean_square(got, std::vector<float>(got.size(), 0.5f), 24, 0);
  };
  for (const double angle : {0.05, 0.2, 0.7, 1.4, -0.5}) {
    INFO("angle " << angle);
    CHECK(contrast(true, angle) < 0.02);
    CHECK(contrast(false, angle) > 0.15);
  }
}

TEST_CASE("footprint: nothing of a part that was cut away is blended in") {
  // 1 in the window, 1000 beside it.
  const Window window{Affine::rotation(0.6), {-4.7, 19.3, 14.2, 36.1}};
  const Tensor image =
      make_image(40, 40, [&](double x, double y) { return window.has(x, y) ? 1.0 : 1000.0; });
  for (const double scale : {0.5, 1.0, 1.7, 3.0, 50.0})
    for (const double angle : {0.0, 0.3, 1.1}) {
      AugmentRow row = averaging(turned(angle, scale, scale, 40, 20));
      row.windows = {&window, 1};
      row.fill = {7};
      int shown = 0;
      const std::vector<float> got = sample(image, row, 20, 20);
      for (int64_t y = 0; y < 20; ++y)
        for (int64_t x = 0; x < 20; ++x) {
          const Point p = centre_in_source(row.inverse, x, y);
          const bool in = p.x >= 0 && p.x < 40 && p.y >= 0 && p.y < 40 && window.has(p.x, p.y);
          const float value = got[static_cast<size_t>(y * 20 + x)];
          shown += in;
          if (!in)
            CHECK(value == 7);
          else if (window.has(std::floor(p.x) + 0.5, std::floor(p.y) + 0.5))
            CHECK(value == Approx(1));
        }
      if (scale < 2) CHECK(shown > 30);
    }
  // The same of an area: of a turned map, and with a clip of the canvas.
  const Tensor left = make_image(40, 40, [](double x, double) { return x < 20 ? 1.0 : 1000.0; });
  AugmentRow row = averaging(turned(0.3, 2, 2, 40, 20));
  row.area = {0, 0, 20, 40};
  for (const float v : sample(left, row, 20, 20)) CHECK((v == 0 || v == Approx(1)));
  row.area = kEverywhere;
  row.clip = {0, 0, 6, 20};  // whose right edge shows x = 11.4 to 35.3 of the source
  const Affine there = row.inverse.inverse();
  const Tensor clipped = make_image(40, 40, [&](double x, double y) {
    return there(Point{x, y}).x < 6 ? 1.0 : 1000.0;
  });
  for (const float v : sample(clipped, row, 20, 20)) CHECK((v == 0 || v == Approx(1)));
}

TEST_CASE("footprint: extreme maps are fill or averages, bad windows throw") {
  const Tensor image = noise(6, 8);
  for (const Affine& map :
       {Affine{1e300, 1e300, 0, 1e300, -1e300, 0}, Affine{1e9, 1e8, 4, 1e8, -1e9, 3},
        Affine{0, 0, 4, 0, 0, 3}, Affine{1e-300, 0, 4, 1e-300, 0, 3}, Affine{1, 1, 0, 1, 1, 0},
        Affine{1e20, 1e-20, 4, 0, 1e-20, 3}}) {
    AugmentRow row = averaging(map);
    for (const Rect& clip : {kEverywhere, Rect{1, 1, 4, 4}}) {
      row.clip = clip;
      for (const float v : sample(image, row, 5, 5)) CHECK((v >= 0 && v <= 1));
    }
  }
  // A pixel far larger than the image shows its mean.
  AugmentRow row = averaging(Affine{1e5, 1e4, 4 - 0.5e5 - 0.5e4, -1e4, 1e5, 3 + 0.5e4 - 0.5e5});
  double mean = 0;
  for (const float v : image.to_vector<float>()) mean += v / 48;
  CHECK(sample(image, row, 1, 1)[0] == Approx(mean).margin(0.03));
  const Window bad{{std::nan(""), 0, 0, 0, 1, 0}, {0, 0, 1, 1}};
  row.windows = {&bad, 1};
  REQUIRE_THROWS_WITH(sample(image, row, 1, 1),
                      testing::contains("[augment] the map of a window is not finite"));
  row.windows = {}, row.area.x0 = std::nan("");
  REQUIRE_THROWS_WITH(sample(image, row, 1, 1), testing::contains("the area is not a number"));
}
