#include "apps/data_tools/picture.h"

namespace ditto::apps {

Colour distinct_colour(int64_t number) {
  constexpr std::array<Colour, 8> kColours = {{{230, 60, 60},
                                               {60, 180, 75},
                                               {255, 200, 30},
                                               {70, 130, 255},
                                               {245, 130, 48},
                                               {190, 80, 220},
                                               {70, 220, 230},
                                               {240, 90, 190}}};
  return kColours[static_cast<size_t>(number % 8 + 8) % 8];
}

Picture::Picture(int width, int height, const Colour& background)
    : pixels_(Tensor::empty({height, width, 3}, Dtype::U8)) {
  uint8_t* to = pixels_.data<uint8_t>();
  for (int64_t i = 0; i < pixels_.numel(); ++i) to[i] = background[static_cast<size_t>(i % 3)];
}

void Picture::blend(int x, int y, const Colour& colour, double opacity) {
  if (x < 0 || y < 0 || x >= width() || y >= height()) return;
  uint8_t* to = pixels_.data<uint8_t>() + 3 * (int64_t{y} * width() + x);
  for (size_t c = 0; c < 3; ++c)
    to[c] = static_cast<uint8_t>(std::lround(to[c] + opacity * (colour[c] - to[c])));
}

void Picture::image(int x, int y, const Tensor& image, double opacity) {
  check(image.defined() && image.rank() == 3 && (image.dim(2) == 1 || image.dim(2) == 3) &&
            (image.dtype() == Dtype::U8 || image.dtype() == Dtype::F32),
        "[picture] an image must be u8 or f32 (h, w, 1 or 3), got", image);
  const std::vector<float> values = image.to_vector<float>();
  const double unit = image.dtype() == Dtype::U8 ? 1 : 255;
  const int64_t channels = image.dim(2);
  for (int64_t j = 0; j < image.dim(0); ++j)
    for (int64_t i = 0; i < image.dim(1); ++i) {
      Colour colour;
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t at = (j * image.dim(1) + i) * channels + std::min(c, channels - 1);
        const double value = unit * double(values[static_cast<size_t>(at)]);
        colour[static_cast<size_t>(c)] =
            static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
      }
      blend(x + static_cast<int>(i), y + static_cast<int>(j), colour, opacity);
    }
}

void Picture::box(const Rect& box, const Colour& colour, int thickness) {
  const auto whole = [](double v) {
    return static_cast<int>(std::lround(std::clamp(v, -1e6, 1e6)));
  };
  const int x0 = whole(box.x0), y0 = whole(box.y0), x1 = whole(box.x1), y1 = whole(box.y1);
  for (int y = std::max(y0, 0); y < std::min(y1, height()); ++y)
    for (int x = std::max(x0, 0); x < std::min(x1, width()); ++x) {
      const bool edge =
          x < x0 + thickness || x >= x1 - thickness || y < y0 + thickness || y >= y1 - thickness;
      if (edge) blend(x, y, colour, 1);
    }
}

void Picture::mask(int x, int y, const Rle& mask, const Colour& colour, double opacity) {
  for (const ColumnRun& run : mask.runs())
    for (int row = run.top; row < run.bottom; ++row)
      blend(x + run.column, y + row, colour, opacity);
}

void Picture::line(Point from, Point to, const Colour& colour, int thickness) {
  const double length = std::hypot(to.x - from.x, to.y - from.y);
  const int steps = std::clamp(static_cast<int>(2 * length), 1, 1 << 16);
  for (int i = 0; i <= steps; ++i) {
    const double t = double(i) / steps;
    const int x = static_cast<int>(std::floor(from.x + t * (to.x - from.x)));
    const int y = static_cast<int>(std::floor(from.y + t * (to.y - from.y)));
    for (int dy = 0; dy < thickness; ++dy)
      for (int dx = 0; dx < thickness; ++dx)
        blend(x + dx - thickness / 2, y + dy - thickness / 2, colour, 1);
  }
}

}  // namespace ditto::apps
