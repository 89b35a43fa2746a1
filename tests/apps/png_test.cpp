#include "apps/common/png.h"

#include <png.h>

#include <vector>

#include "core/rng.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::apps;

namespace {

Tensor noise(const Shape& shape) {
  Rng rng(7);
  std::vector<uint8_t> pixels(static_cast<size_t>(shape.numel()));
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(rng.bits());
  return Tensor::from(pixels, shape);
}

// Decoded by libpng's reader, as `format`.
std::vector<uint8_t> decode(const std::string& bytes, png_uint_32 format, int64_t& height,
                            int64_t& width) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) != 0);
  CHECK(image.format == format);  // what the file itself holds
  image.format = format;
  height = image.height;
  width = image.width;
  std::vector<uint8_t> pixels(PNG_IMAGE_SIZE(image));
  REQUIRE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr) != 0);
  return pixels;
}

}  // namespace

TEST_CASE("pixels survive encoding", "[apps]") {
  const std::pair<int64_t, png_uint_32> kinds[] = {
      {1, PNG_FORMAT_GRAY}, {3, PNG_FORMAT_RGB}, {4, PNG_FORMAT_RGBA}};
  for (const auto& [channels, format] : kinds) {
    for (const Shape& size : {Shape{32, 32}, Shape{1, 1}, Shape{3, 17}}) {
      const Tensor image = noise({size[0], size[1], channels});
      CAPTURE(to_string(image));
      int64_t height = 0, width = 0;
      const std::vector<uint8_t> pixels = decode(encode_png(image), format, height, width);
      CHECK(height == size[0]);
      CHECK(width == size[1]);
      CHECK(pixels == image.to_vector<uint8_t>());
    }
  }
}

TEST_CASE("an image inside a batch needs no copy", "[apps]") {
  const Tensor batch = noise({3, 5, 4, 3});
  const Tensor second = batch.alias({5, 4, 3}, {12, 3, 1}, 60);
  const Tensor flipped = batch.alias({5, 4, 3}, {12, -3, 1}, 60 + 9);  // mirrored columns
  int64_t height = 0, width = 0;
  const std::vector<uint8_t> pixels = decode(encode_png(second), PNG_FORMAT_RGB, height, width);
  const std::vector<uint8_t> all = batch.to_vector<uint8_t>();
  CHECK(pixels == std::vector<uint8_t>(all.begin() + 60, all.begin() + 120));
  const std::vector<uint8_t> mirrored = decode(encode_png(flipped), PNG_FORMAT_RGB, height, width);
  for (int64_t y = 0; y < 5; ++y)
    for (int64_t x = 0; x < 4; ++x)
      for (int64_t c = 0; c < 3; ++c)
        CHECK(mirrored[static_cast<size_t>(y * 12 + x * 3 + c)] ==
              pixels[static_cast<size_t>(y * 12 + (3 - x) * 3 + c)]);
}

TEST_CASE("images that PNG or the report cannot hold are refused", "[apps]") {
  CHECK_THROWS_WITH(encode_png(Tensor()), testing::contains("[encode_png]"));
  CHECK_THROWS_WITH(encode_png(Tensor::zeros({4, 4, 3})), testing::contains("must be u8"));
  CHECK_THROWS_AS(encode_png(Tensor::zeros({4, 4}, Dtype::U8)), Error);
  CHECK_THROWS_WITH(encode_png(Tensor::zeros({4, 4, 2}, Dtype::U8)),
                    testing::contains("channels must be 1, 3 or 4"));
  CHECK_THROWS_AS(encode_png(Tensor::zeros({0, 4, 3}, Dtype::U8)), Error);
}

TEST_CASE("base64 gives the test vectors of RFC 4648", "[apps]") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) CHECK(base64(plain) == encoded);
  CHECK(base64("\xFF\xFE\xFB") == "//77");
  CHECK(png_data_uri(noise({2, 2, 3})).rfind("data:image/png;base64,iVBORw0KGgo", 0) == 0);
}
