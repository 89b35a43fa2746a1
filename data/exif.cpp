#include "data/exif.h"

#include <cstring>

namespace ditto::data {
namespace {

// Numbers of either byte order; what lies outside is 0.
struct Tiff {
  std::span<const uint8_t> bytes;
  bool little;

  uint32_t number(size_t at, size_t size) const {
    if (at > bytes.size() || size > bytes.size() - at) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | bytes[at + (little ? size - 1 - i : i)];
    return value;
  }
};

}  // namespace

int exif_orientation(std::span<const uint8_t> tiff) {
  constexpr uint32_t kMagic = 42, kOrientation = 274, kShort = 3, kLong = 4;
  if (tiff.size() < 8) return 1;
  const bool little = tiff[0] == 'I' && tiff[1] == 'I';
  if (!little && !(tiff[0] == 'M' && tiff[1] == 'M')) return 1;
  const Tiff in{tiff, little};
  if (in.number(2, 2) != kMagic) return 1;
  const size_t directory = in.number(4, 4);
  const uint32_t entries = in.number(directory, 2);  // 0 when it lies outside
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.size()) return 1;
    if (in.number(entry, 2) != kOrientation) continue;
    const uint32_t type = in.number(entry + 2, 2), count = in.number(entry + 4, 4);
    if (count != 1 || (type != kShort && type != kLong)) return 1;
    const uint32_t value = in.number(entry + 8, type == kShort ? 2 : 4);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Tensor turn_upright(const Tensor& image, int orientation) {
  check(orientation >= 1 && orientation <= 8, "[image] orientation must be in [1, 8], got",
        orientation);
  if (orientation == 1) return image;
  const int64_t height = image.dim(0), width = image.dim(1), channels = image.dim(2);
  const bool exchanged = orientation >= 5;
  // Where the first stored pixel of an output line is, and the steps to the next pixel and line.
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int64_t column = from_right ? -channels : channels;
  const int64_t line = from_bottom ? -width * channels : width * channels;
  const int64_t step_x = exchanged ? line : column, step_y = exchanged ? column : line;
  const uint8_t* start = image.data<uint8_t>() + (from_right ? (width - 1) * channels : 0) +
                         (from_bottom ? (height - 1) * width * channels : 0);
  const Tensor out =
      Tensor::empty({exchanged ? width : height, exchanged ? height : width, channels}, Dtype::U8);
  uint8_t* to = out.data<uint8_t>();
  for (int64_t y = 0; y < out.dim(0); ++y)
    for (int64_t x = 0; x < out.dim(1); ++x, to += channels)
      std::memcpy(to, start + y * step_y + x * step_x, static_cast<size_t>(channels));
  return out;
}

}  // namespace ditto::data
