// Geometry and colours on photographs of clothes, against torchvision and albumentations
// (tests/reference/geometry_values.py).
//
// Both work on bytes, so their pixels are rounded (torchvision's colours: cut) after every step;
// ours are f32, and one grey level is what that may cost. Where a bound is larger, the table says
// why.
#include <cmath>
#include <numbers>

#include "core/serialize.h"
#include "data/transforms/affine.h"
#include "data/transforms/crop.h"
#include "data/transforms/flip.h"
#include "data/transforms/grayscale.h"
#include "data/transforms/pad.h"
#include "data/transforms/resize.h"
#include "data/transforms/solarize.h"
#include "kernels/blur.h"
#include "tests/support/catch.h"
#include "tests/support/paths.h"

using namespace ditto;
using namespace ditto::data;

namespace {

const Tensor& reference(const std::string& name) {
  static const TensorMap values =
      load_safetensors(testing::source_path("tests/reference/geometry_values.safetensors")).tensors;
  return values.at(name);
}

ImageInfo info_of(const Tensor& image) {
  return {static_cast<int>(image.dim(1)),
          static_cast<int>(image.dim(0)),
          static_cast<int>(image.dim(2)),
          {}};
}

Transform draw(const Augment& policy, const ImageInfo& info) {
  Rng rng(1);
  return policy.draw(rng, info);
}

// About the centre of the image: shear along x, then y, by these tangents, scale, rotation.
Transform about(const ImageInfo& info, Point centre, double degrees, double scale, double tan_x,
                double tan_y, Point move) {
  const Affine map = Affine::translation(-centre.x, -centre.y)
                         .then(Affine{1, tan_x, 0, 0, 1, 0})
                         .then(Affine{1, 0, 0, tan_y, 1, 0})
                         .then(Affine::scaling(scale, scale))
                         .then(Affine::rotation(degrees * std::numbers::pi / 180))
                         .then(Affine::translation(centre.x + move.x, centre.y + move.y));
  return Transform::geometric(info, map, info.width, info.height);
}

double tangent(double degrees) { return std::tan(degrees * std::numbers::pi / 180); }

struct Difference {
  double worst = 0, mean = 0;  // in grey levels
};
Difference compare(const Transform& t, const std::string& image, const std::string& name) {
  const Tensor got = t.apply(reference("image." + image)), &expected = reference(name);
  REQUIRE(got.shape() == expected.shape());
  const bool bytes = expected.dtype() == Dtype::U8;
  const auto a = got.to_vector<double>(), b = expected.to_vector<double>();
  Difference out;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(255 * a[i] - (bytes ? b[i] : 255 * b[i]));
    out.worst = std::max(out.worst, difference);
    out.mean += difference / static_cast<double>(a.size());
  }
  return out;
}

double box_difference(const Transform& t, const std::string& name) {
  const Tensor &before = reference("boxes"), &after = reference(name);
  REQUIRE(after.shape() == before.shape());
  double worst = 0;
  for (int64_t i = 0; i < before.dim(0); ++i) {
    const float *p = before.data<float>() + 4 * i, *q = after.data<float>() + 4 * i;
    const Rect r = t.apply(Rect{p[0], p[1], p[2], p[3]});
    worst = std::max({worst, std::fabs(r.x0 - q[0]), std::fabs(r.y0 - q[1]), std::fabs(r.x1 - q[2]),
                      std::fabs(r.y1 - q[3])});
  }
  return worst;
}

struct Row {
  const char* name;
  Transform transform;
  double levels;  // the largest difference of a pixel, in grey levels
};

}  // namespace

TEST_CASE("geometry as torchvision: boxes to 1e-3 px, pixels within a grey level") {
  const ImageInfo info = info_of(reference("image.grey"));
  const Point centre{28, 14};
  const Row rows[] = {
      {"hflip", draw(RandomFlip(1, 0), info), 1e-4},
      {"vflip", draw(RandomFlip(0, 1), info), 1e-4},
      {"crop", draw(FixedCrop(10, 3, 40, 20), info), 1e-4},
      {"pad", draw(Pad({4, 1, 3, 6}), info), 1e-4},
      {"resize.down", draw(Resize(30, 17), info), 1},
      {"resize.up", draw(Resize(71, 45), info), 1},
      {"resized_crop", Transform::resized(info, {9, 2, 44, 26}, 20, 20), 1},
      {"rotate", about(info, centre, -12.5, 1, 0, 0, {}), 1},
      {"affine", about(info, centre, -8, 1.2, -tangent(5), -tangent(3), {3, -2}), 1},
      {"shear", about(info, {0, 0}, 0, 1, -tangent(-9), 0, {}), 1}};
  for (const Row& row : rows) {
    const Difference d = compare(row.transform, "grey", std::string("tv.") + row.name);
    const double boxes = box_difference(row.transform, std::string("tv.boxes.") + row.name);
    INFO(row.name << ": worst " << d.worst << ", mean " << d.mean << ", boxes " << boxes);
    CHECK(d.worst <= row.levels);
    CHECK(boxes <= 1e-3);
  }
}

TEST_CASE("colours as torchvision on bytes: within a grey level") {
  using kernels::ColourKind;
  const ImageInfo info = info_of(reference("image.rgb"));
  const auto colour = [&](ColourKind kind, float factor) {
    return Transform::colour(info, {.kind = kind, .factor = factor});
  };
  const Row rows[] = {{"brightness", colour(ColourKind::Brightness, 1.4f), 1},
                      // Its mean is of grey values cut to whole levels, up to 1 too dark, of which
                      // 1 - 0.6 goes into every pixel; the result is cut as well.
                      {"contrast", colour(ColourKind::Contrast, 0.6f), 1.4},
                      {"saturation", colour(ColourKind::Saturation, 1.7f), 1},
                      {"hue", colour(ColourKind::Hue, -0.2f), 1},
                      {"grayscale", draw(RandomGrayscale(1), info), 1},
                      {"solarize", draw(RandomSolarize(127.5 / 255, 1), info), 1e-4},
                      {"blur", Transform::colour(info, kernels::blur_change(1.3, 3)), 1},
                      {"blur.f32", Transform::colour(info, kernels::blur_change(2, 11)), 1e-3}};
  for (const Row& row : rows) {
    const Difference d = compare(row.transform, "rgb", std::string("tv.") + row.name);
    INFO(row.name << ": worst " << d.worst << ", mean " << d.mean);
    CHECK(d.worst <= row.levels);
  }
}

// Albumentations' resizing (OpenCV's) does not average where it shrinks, so only enlarging
// compares.
TEST_CASE("geometry and colours as albumentations") {
  using kernels::ColourKind;
  const ImageInfo info = info_of(reference("image.grey")), rgb = info_of(reference("image.rgb"));
  const Point centre{28, 14};
  const Row rows[] = {{"hflip", draw(RandomFlip(1, 0), info), 1e-4},
                      {"vflip", draw(RandomFlip(0, 1), info), 1e-4},
                      {"crop", draw(FixedCrop(10, 3, 40, 20), info), 1e-4},
                      {"resize.up", draw(Resize(71, 45), info), 1},
                      {"rotate", about(info, centre, -12.5, 1, 0, 0, {}), 1},
                      {"scale", about(info, centre, 0, 1.3, 0, 0, {}), 1},
                      {"translate", about(info, centre, 0, 1, 0, 0, {3, -2}), 1e-4},
                      {"shear", about(info, centre, 0, 1, -tangent(9), 0, {}), 1}};
  for (const Row& row : rows) {
    const Difference d = compare(row.transform, "grey", std::string("alb.") + row.name);
    const double boxes = box_difference(row.transform, std::string("alb.boxes.") + row.name);
    INFO(row.name << ": worst " << d.worst << ", mean " << d.mean << ", boxes " << boxes);
    CHECK(d.worst <= row.levels);
    CHECK(boxes <= 1e-3);
  }
  const auto colour = [&](ColourKind kind, float factor) {
    return Transform::colour(rgb, {.kind = kind, .factor = factor});
  };
  const Row colours[] = {{"brightness", colour(ColourKind::Brightness, 1.4f), 1},
                         {"contrast", colour(ColourKind::Contrast, 0.6f), 1},
                         {"saturation", colour(ColourKind::Saturation, 1.7f), 1},
                         // OpenCV keeps the hue of bytes in steps of 2 degrees; rounded by 1, a
                         // channel on a ramp of 60 degrees moves by up to 255 / 60.
                         {"hue", colour(ColourKind::Hue, -0.2f), 255.0 / 60 + 0.5},
                         {"solarize", draw(RandomSolarize(127.5 / 255, 1), rgb), 1e-4}};
  for (const Row& row : colours) {
    const Difference d = compare(row.transform, "rgb", std::string("alb.") + row.name);
    INFO(row.name << ": worst " << d.worst << ", mean " << d.mean);
    CHECK(d.worst <= row.levels);
  }
}
