#include "data/synthetic_pedestrians.h"

#include <algorithm>
#include <array>

namespace ditto::data {
namespace {

using Colour = std::array<int, 3>;

// A picture and a map of who is seen where; shapes paint both.
class Scene {
 public:
  Scene(int width, int height)
      : image(Tensor::zeros({height, width, 3}, Dtype::U8)),
        people(Tensor::zeros({height, width}, Dtype::U8)),
        width_(width),
        height_(height) {}

  // Paints the pixels of `bounds` whose centres are `inside`; `person` 0 leaves the map alone.
  template <class Inside>
  void paint(const Rect& bounds, const Colour& colour, uint8_t person, Inside&& inside) {
    const auto limit = [](double v, int size) {
      return static_cast<int>(std::clamp(v, 0.0, double(size)));
    };
    for (int y = limit(std::floor(bounds.y0), height_); y < limit(std::ceil(bounds.y1), height_);
         ++y)
      for (int x = limit(std::floor(bounds.x0), width_); x < limit(std::ceil(bounds.x1), width_);
           ++x) {
        if (!inside(x + 0.5, y + 0.5)) continue;
        const int64_t at = int64_t{y} * width_ + x;
        for (int c = 0; c < 3; ++c)
          image.data<uint8_t>()[3 * at + c] = static_cast<uint8_t>(std::clamp(colour[c], 0, 255));
        if (person > 0) people.data<uint8_t>()[at] = person;
      }
  }
  void rectangle(const Rect& r, const Colour& colour, uint8_t person = 0) {
    paint(r, colour, person,
          [&](double x, double y) { return x >= r.x0 && x < r.x1 && y >= r.y0 && y < r.y1; });
  }
  void ellipse(const Rect& r, const Colour& colour, uint8_t person = 0) {
    const double cx = (r.x0 + r.x1) / 2, cy = (r.y0 + r.y1) / 2, rx = (r.x1 - r.x0) / 2,
                 ry = (r.y1 - r.y0) / 2;
    paint(r, colour, person, [&](double x, double y) {
      const double u = (x - cx) / rx, v = (y - cy) / ry;
      return u * u + v * v <= 1;
    });
  }
  // A line of this thickness with round ends.
  void limb(Point a, Point b, double thickness, const Colour& colour, uint8_t person) {
    const double half = thickness / 2, dx = b.x - a.x, dy = b.y - a.y;
    const Rect bounds{std::min(a.x, b.x) - half, std::min(a.y, b.y) - half,
                      std::max(a.x, b.x) + half, std::max(a.y, b.y) + half};
    paint(bounds, colour, person, [&](double x, double y) {
      const double t =
          std::clamp(((x - a.x) * dx + (y - a.y) * dy) / (dx * dx + dy * dy), 0.0, 1.0);
      const double u = x - a.x - t * dx, v = y - a.y - t * dy;
      return u * u + v * v <= half * half;
    });
  }
  // A little grain on everything, as a camera adds it.
  void grain(Rng& rng) {
    uint8_t* pixels = image.data<uint8_t>();
    for (int64_t i = 0; i < image.numel(); i += 4) {
      const uint32_t bits = rng.bits();
      for (int64_t k = 0; k < std::min<int64_t>(4, image.numel() - i); ++k) {
        const int noise = static_cast<int>(bits >> (8 * k) & 15) - 7;
        pixels[i + k] = static_cast<uint8_t>(std::clamp(int{pixels[i + k]} + noise, 0, 255));
      }
    }
  }

  Tensor image, people;

 private:
  int width_, height_;
};

Colour random_colour(Rng& rng, int low, int high) {
  const auto span = static_cast<uint64_t>(high - low);
  Colour out;
  for (int& channel : out) channel = low + static_cast<int>(rng.below(span));
  return out;
}

void draw_street(Scene& scene, Rng& rng, int width, int height, double ground) {
  const Colour sky{150 + static_cast<int>(rng.below(60)), 180 + static_cast<int>(rng.below(50)),
                   225};
  scene.rectangle({0, 0, double(width), ground}, sky);
  for (double x = 0; x < width;) {
    const double w = rng.uniform(0.12, 0.3) * width, h = rng.uniform(0.35, 0.95) * ground;
    const Colour wall = random_colour(rng, 70, 190), pane = random_colour(rng, 30, 90);
    scene.rectangle({x, ground - h, x + w, ground}, wall);
    const double step = w / 4;
    for (double wx = x + 0.4 * step; wx + 0.6 * step < x + w; wx += step)
      for (double wy = ground - h + 0.5 * step; wy + step < ground; wy += 1.5 * step)
        scene.rectangle({wx, wy, wx + 0.5 * step, wy + 0.8 * step}, pane);
    x += w + rng.uniform(0, 0.05) * width;
  }
  const int grey = 90 + static_cast<int>(rng.below(60));
  scene.rectangle({0, ground, double(width), double(height)}, {grey, grey, grey});
  const double kerb = rng.uniform(0.3, 0.7) * (height - ground) + ground;
  scene.rectangle({0, kerb, double(width), kerb + 3}, {grey + 50, grey + 50, grey + 45});
}

// Feet at (x, y); `tall` pixels from there to the top of the head.
void draw_person(Scene& scene, Rng& rng, double x, double y, double tall, uint8_t person) {
  constexpr std::array<Colour, 4> kSkin = {
      {{240, 205, 175}, {205, 150, 115}, {140, 95, 65}, {90, 60, 45}}};
  const Colour skin = kSkin[rng.below(kSkin.size())], coat = random_colour(rng, 20, 235);
  const Colour trousers = random_colour(rng, 10, 120), hair = random_colour(rng, 10, 90);
  const double unit = tall / 8, stride = rng.uniform(0.2, 1.3) * unit;
  const double shoulder = y - 6.4 * unit, hip = y - 4 * unit, half = rng.uniform(0.85, 1.15) * unit;
  scene.limb({x - 0.3 * unit, hip}, {x - stride, y - 0.3 * unit}, 0.75 * unit, trousers, person);
  scene.limb({x + 0.3 * unit, hip}, {x + stride, y - 0.3 * unit}, 0.75 * unit, trousers, person);
  const double swing = rng.uniform(-0.8, 0.8) * unit;
  scene.limb({x - half, shoulder + 0.3 * unit}, {x - half - swing, hip + 0.2 * unit}, 0.55 * unit,
             coat, person);
  scene.limb({x + half, shoulder + 0.3 * unit}, {x + half - swing, hip + 0.2 * unit}, 0.55 * unit,
             coat, person);
  scene.rectangle({x - half, shoulder, x + half, hip + 0.6 * unit}, coat, person);
  scene.ellipse({x - half, shoulder - 0.35 * unit, x + half, shoulder + 0.5 * unit}, coat, person);
  scene.limb({x, shoulder - 0.6 * unit}, {x, shoulder}, 0.5 * unit, skin, person);
  scene.ellipse({x - 0.52 * unit, y - 8 * unit, x + 0.52 * unit, y - 6.6 * unit}, skin, person);
  scene.ellipse({x - 0.55 * unit, y - 8 * unit, x + 0.55 * unit, y - 7.3 * unit}, hair, person);
}

Scene draw_scene(const PedestrianOptions& o, int64_t index) {
  Rng rng(o.seed, Purpose::User, static_cast<uint64_t>(index));
  const auto side = [&](int most) {
    return most - static_cast<int>(rng.below(static_cast<uint64_t>(most / 5)));
  };
  const int width = side(o.width), height = side(o.height);
  const double ground = rng.uniform(0.5, 0.65) * height;
  Scene scene(width, height);
  draw_street(scene, rng, width, height, ground);
  // From the back to the front: who stands lower is nearer, and larger.
  const auto count = 1 + rng.below(static_cast<uint64_t>(o.most));
  std::vector<double> feet;
  for (uint64_t i = 0; i < count; ++i) feet.push_back(rng.uniform(0.15, 0.98));
  std::ranges::sort(feet);
  for (size_t i = 0; i < feet.size(); ++i) {
    const double y = ground + feet[i] * (height - ground);
    const double tall = (0.3 + 0.5 * feet[i]) * height * rng.uniform(0.9, 1.1);
    draw_person(scene, rng, rng.uniform(0.05, 0.95) * width, y, tall, static_cast<uint8_t>(i + 1));
  }
  scene.grain(rng);
  return scene;
}

class PedestrianReader : public ImageReader {
 public:
  explicit PedestrianReader(const PedestrianOptions& options) : options_(options) {}
  Tensor read(int64_t index) const override { return draw_scene(options_, index).image; }
  std::string fingerprint() const override {
    return "pedestrians 1 " + std::to_string(options_.width) + " " +
           std::to_string(options_.height) + " " + std::to_string(options_.most) + " " +
           std::to_string(options_.seed);
  }

 private:
  PedestrianOptions options_;
};

}  // namespace

InstanceDataset synthetic_pedestrians(const PedestrianOptions& options) {
  check(options.width >= 64 && options.height >= 64 && options.width <= 4096 &&
            options.height <= 4096,
        "[pedestrians] sides must be in [64, 4096], got", options.width, options.height);
  check(options.most >= 1 && options.most <= 100, "[pedestrians] most must be in [1, 100], got",
        options.most);
  check(options.images >= 1 && options.images <= 1'000'000,
        "[pedestrians] images must be in [1, 1000000], got", options.images);
  std::vector<AnnotatedImage> images;
  for (int64_t i = 0; i < options.images; ++i) {
    const Scene scene = draw_scene(options, i);
    images.push_back({"pedestrians" + std::to_string(i), static_cast<int>(scene.image.dim(1)),
                      static_cast<int>(scene.image.dim(0)),
                      instances_of_map(scene.people, i + 1, 1)});
  }
  return {"synthetic-pedestrians",
          std::make_shared<PedestrianReader>(options),
          std::move(images),
          {"pedestrian"},
          imagenet_statistics()};
}

}  // namespace ditto::data
