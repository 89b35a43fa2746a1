#include "apps/common/png.h"

#include <png.h>

#include <vector>

namespace ditto::apps {
namespace {

constexpr int64_t kMaxSide = 1 << 16;

// Frees what libpng allocated, also when an exception passes.
struct PngImage : png_image {
  PngImage() : png_image{} { version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(this); }
};

}  // namespace

std::string encode_png(const Tensor& image) {
  check(image.defined() && image.dtype() == Dtype::U8 && image.rank() == 3,
        "[encode_png] the image must be u8 (H, W, C), got", image);
  const int64_t height = image.dim(0), width = image.dim(1), channels = image.dim(2);
  check(height > 0 && width > 0 && height <= kMaxSide && width <= kMaxSide,
        "[encode_png] height and width must be 1 to 65536:", image.shape());
  check(channels == 1 || channels == 3 || channels == 4,
        "[encode_png] channels must be 1, 3 or 4:", image.shape());

  // Rows are taken one by one, so a strided view (one image of a batch) needs no copy by the
  // caller.
  const std::vector<uint8_t> pixels = image.to_vector<uint8_t>();
  PngImage png;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  // The size of the result is known only after compression; the bound is safe, so one pass does.
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string bytes(size, '\0');
  const int ok = png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels.data(), 0, nullptr);
  check(ok != 0, "[encode_png] libpng:", static_cast<const char*>(png.message));
  bytes.resize(size);
  return bytes;
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t k) -> uint32_t {
      return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u;
    };
    const uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += kDigits[bits >> 18];
    out += kDigits[bits >> 12 & 63];
    out += i + 1 < bytes.size() ? kDigits[bits >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kDigits[bits & 63] : '=';
  }
  return out;
}

std::string png_data_uri(const Tensor& image) {
  return "data:image/png;base64," + base64(encode_png(image));
}

}  // namespace ditto::apps
