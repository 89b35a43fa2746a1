#include "data/image.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/file.h"
#include "data/exif.h"
#include "data/grey.h"
#include "data/image_structure.h"
#include "data/jpeg.h"
#include "data/png.h"

namespace ditto::data {
namespace {

// What the decoder of this thread holds, and may hold. Its blocks remember their size in front.
thread_local size_t held = 0, allowance = 0;
constexpr size_t kPrefix = alignof(std::max_align_t);

// Zeroed: what a damaged file leaves undecoded must not be yesterday's memory.
void* budget_allocate(size_t bytes) {
  if (bytes > allowance || held > allowance - bytes) return nullptr;
  void* block = std::calloc(1, bytes + kPrefix);
  if (!block) return nullptr;
  std::memcpy(block, &bytes, sizeof(bytes));
  held += bytes;
  return static_cast<char*>(block) + kPrefix;
}

void budget_release(void* pointer) {
  if (!pointer) return;
  char* block = static_cast<char*>(pointer) - kPrefix;
  size_t bytes;
  std::memcpy(&bytes, block, sizeof(bytes));
  held -= bytes;
  std::free(block);
}

void* budget_reallocate(void* pointer, size_t old_bytes, size_t bytes) {
  void* block = budget_allocate(bytes);
  if (!block) return nullptr;
  if (pointer) std::memcpy(block, pointer, old_bytes < bytes ? old_bytes : bytes);
  budget_release(pointer);
  return block;
}

}  // namespace
}  // namespace ditto::data

// The formats that are left out have open security reports; assertions would end the process on a
// damaged file, where the code behind them returns an error.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 16384
#define STBI_ASSERT(condition) static_cast<void>(0)
#define STBI_MALLOC(bytes) ditto::data::budget_allocate(bytes)
#define STBI_REALLOC_SIZED(p, old_bytes, bytes) ditto::data::budget_reallocate(p, old_bytes, bytes)
#define STBI_FREE(p) ditto::data::budget_release(p)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace ditto::data {
namespace {

ImageStructure check_file(std::span<const uint8_t> bytes, std::string_view name,
                          const DecodeLimits& limits) {
  const auto stored = static_cast<int64_t>(bytes.size());
  const int64_t most = std::min<int64_t>(limits.file_bytes, std::numeric_limits<int>::max());
  check(stored <= most, "[image] file too large:", printable(name), "has", stored,
        "bytes, the limit is", most);
  const ImageStructure found = check_structure(bytes, name);
  const int64_t width = found.width, height = found.height;
  check(width >= 1 && height >= 1, "[image] picture without pixels:", printable(name), width, "x",
        height);
  check(width <= limits.side && height <= limits.side && width * height <= limits.pixels,
        "[image] picture too large:", printable(name), width, "x", height, "pixels; the limits are",
        limits.side, "a side and", limits.pixels, "in all");
  const int64_t decoded = width * height * std::max<int64_t>(found.pixel_bits, 8) / 8;
  check(decoded <= limits.small_bytes ||
            static_cast<double>(decoded) <= limits.expansion * static_cast<double>(stored),
        "[image] suspicious compression:", printable(name), "makes", decoded, "bytes of", stored);
  return found;
}

// Interlaced pictures and those of 16 bits.
Tensor decode_by_stb(std::span<const uint8_t> bytes, std::string_view name, int64_t width,
                     int64_t height, int channels) {
  // The most that an honest file needs at one time: a 16-bit RGBA picture as stored and as decoded,
  // and the doubling buffer of its compressed bytes.
  const auto stored = static_cast<int64_t>(bytes.size());
  allowance = static_cast<size_t>(24 * (width + 64) * (height + 64) + 4 * stored + (1 << 20));
  held = 0;
  int got_width = 0, got_height = 0, got_channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(stored), &got_width, &got_height,
                            &got_channels, channels),
      budget_release);
  if (!pixels) fail("[image] cannot decode", printable(name) + ":", stbi_failure_reason());
  check(got_width == width && got_height == height, "[image] contradicting sizes:", printable(name),
        "announces", width, "x", height, "and holds", got_width, "x", got_height);
  const Tensor image = Tensor::empty({height, width, channels}, Dtype::U8);
  std::memcpy(image.data<uint8_t>(), pixels.get(), static_cast<size_t>(image.numel()));
  return image;
}

Tensor colours(const PngSamples& png, std::string_view name, int channels) {
  const int64_t pixels = png.samples.dim(0) * png.samples.dim(1), stored = png.samples.dim(2);
  if (stored == channels && !png.indexed && png.depth == 8) return png.samples;
  const Tensor image = Tensor::empty({png.samples.dim(0), png.samples.dim(1), channels}, Dtype::U8);
  const uint8_t* from = png.samples.data<uint8_t>();
  uint8_t* to = image.data<uint8_t>();
  const int unit = 255 / ((1 << png.depth) - 1);
  for (int64_t i = 0; i < pixels; ++i, from += stored, to += channels) {
    uint8_t grey[3];
    const uint8_t* colour = from;
    if (png.indexed) {
      check(3 * size_t{*from} + 3 <= png.palette.size(), "[image] cannot decode",
            printable(name) + ": colour", int{*from}, "is not in the palette");
      colour = &png.palette[3 * size_t{*from}];
    } else if (stored <= 2) {
      std::fill_n(grey, 3, static_cast<uint8_t>(*from * unit));
      colour = grey;
    }
    if (channels == 3)
      std::memcpy(to, colour, 3);
    else
      *to = colour == grey ? grey[0] : grey_of(colour);
  }
  return image;
}

Tensor decode_png(std::span<const uint8_t> bytes, std::string_view name,
                  const ImageStructure& found, int channels) {
  const std::optional<PngSamples> png = png_samples(bytes, name);
  return png ? colours(*png, name, channels)
             : decode_by_stb(bytes, name, found.width, found.height, channels);
}

std::span<const uint8_t> bytes_of(const Tensor& file) {
  return {file.data<uint8_t>(), static_cast<size_t>(file.numel())};
}

}  // namespace

Tensor decode_image(std::span<const uint8_t> bytes, std::string_view name, int channels,
                    const DecodeLimits& limits) {
  check(channels == 1 || channels == 3, "[image] channels must be 1 or 3, got", channels);
  const ImageStructure found = check_file(bytes, name, limits);
  const Tensor image = found.format == ImageFormat::Jpeg
                           ? decode_jpeg(bytes, name, found.width, found.height, channels)
                           : decode_png(bytes, name, found, channels);
  return turn_upright(image, found.orientation);
}

Tensor read_image_file(const std::filesystem::path& path, const DecodeLimits& limits) {
  const InputFile file(path);
  check(file.size() <= limits.file_bytes, "[image] file too large:", printable(path.string()),
        "has", file.size(), "bytes, the limit is", limits.file_bytes);
  const Tensor bytes = Tensor::empty({file.size()}, Dtype::U8);
  file.read(0, bytes.data<uint8_t>(), file.size());
  return bytes;
}

Tensor read_image(const std::filesystem::path& path, int channels, const DecodeLimits& limits) {
  return decode_image(bytes_of(read_image_file(path, limits)), path.string(), channels, limits);
}

Tensor decode_label_map(std::span<const uint8_t> bytes, std::string_view name,
                        const DecodeLimits& limits) {
  const ImageStructure found = check_file(bytes, name, limits);
  check(found.format == ImageFormat::Png,
        "[image] a map of labels must be a PNG:", printable(name));
  const std::optional<PngSamples> png = png_samples(bytes, name);
  check(png && png->samples.dim(2) == 1,
        "[image] a map of labels must have one value of at most 8 bits per pixel, not interlaced:",
        printable(name));
  const Shape shape{found.height, found.width};
  return png->samples.alias(shape, contiguous_strides(shape), png->samples.offset());
}

Tensor read_label_map(const std::filesystem::path& path, const DecodeLimits& limits) {
  return decode_label_map(bytes_of(read_image_file(path, limits)), path.string(), limits);
}

}  // namespace ditto::data
