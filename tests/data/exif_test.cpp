// Orientation of photographs: the eight of them, in both byte orders, in JPEG and PNG, and notes
// that are damaged in every way.
#include "data/exif.h"

#include "core/rng.h"
#include "data/image.h"
#include "tests/support/catch.h"
#include "tests/support/image_files.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

std::string number(uint32_t value, int bytes, bool little) {
  std::string out = big_endian(value).substr(static_cast<size_t>(4 - bytes));
  if (little) std::reverse(out.begin(), out.end());
  return out;
}

// A directory of two entries: the width of the picture, then its orientation.
std::string tiff(uint32_t orientation, bool little = true, uint32_t type = 3) {
  const auto n = [&](uint32_t value, int bytes) { return number(value, bytes, little); };
  return (little ? "II" : "MM") + n(42, 2) + n(8, 4) + n(2, 2) +  //
         n(256, 2) + n(4, 2) + n(1, 4) + n(23, 4) +               //
         n(274, 2) + n(type, 2) + n(1, 4) +
         (type == 3 ? n(orientation, 2) + n(0, 2) : n(orientation, 4)) + n(0, 4);
}

int orientation_of(const std::string& text) {
  const std::vector<uint8_t> bytes(text.begin(), text.end());  // so that ASan sees its end
  return exif_orientation(bytes);
}

// A JPEG with `segment` as its first APP1.
std::vector<uint8_t> with_app1(const std::vector<uint8_t>& jpeg, const std::string& segment) {
  const std::string marker =
      "\xff\xe1" + number(static_cast<uint32_t>(segment.size()) + 2, 2, false) + segment;
  std::string out(jpeg.begin(), jpeg.end());
  out.insert(2, marker);
  return {out.begin(), out.end()};
}

const std::string kExif("Exif\0\0", 6);

}  // namespace

TEST_CASE("exif: orientation in both byte orders and both widths") {
  for (const bool little : {false, true})
    for (const uint32_t type : {3u, 4u})
      for (uint32_t orientation = 1; orientation <= 8; ++orientation)
        CHECK(orientation_of(tiff(orientation, little, type)) == static_cast<int>(orientation));
}

TEST_CASE("exif: what is odd counts as none, and nothing crashes") {
  CHECK(orientation_of("") == 1);
  CHECK(orientation_of(tiff(0)) == 1);
  CHECK(orientation_of(tiff(9)) == 1);
  CHECK(orientation_of(tiff(6, true, 2)) == 1);
  const std::string good = tiff(6);
  // All of it is needed, but for the offset of the next directory.
  for (size_t size = 0; size < good.size(); ++size)
    CHECK(orientation_of(good.substr(0, size)) == (size + 4 < good.size() ? 1 : 6));
  for (const bool little : {false, true})
    for (size_t at = 0; at < good.size(); ++at)
      for (int value = 0; value < 256; ++value) {
        std::string changed = tiff(6, little);
        changed[at] = static_cast<char>(value);
        const int orientation = orientation_of(changed);
        REQUIRE((orientation >= 1 && orientation <= 8));
      }
  Rng rng(1);
  for (int i = 0; i < 20000; ++i) {
    std::string noise = rng.chance(0.5) ? std::string("II\x2a\0", 4) : std::string("MM\0\x2a", 4);
    for (uint64_t k = rng.below(60); k > 0; --k) noise += static_cast<char>(rng.below(256));
    const int orientation = orientation_of(noise);
    REQUIRE((orientation >= 1 && orientation <= 8));
  }
}

TEST_CASE("exif: pictures are turned as the eight orientations say") {
  // 0 1 2
  // 3 4 5   with a second channel of 10 times the value
  std::vector<uint8_t> values;
  for (int i = 0; i < 6; ++i)
    for (const int factor : {1, 10}) values.push_back(static_cast<uint8_t>(factor * i));
  const Tensor image = Tensor::from(values, {2, 3, 2});
  const std::vector<std::vector<int>> upright = {
      {0, 1, 2, 3, 4, 5}, {2, 1, 0, 5, 4, 3}, {5, 4, 3, 2, 1, 0}, {3, 4, 5, 0, 1, 2},
      {0, 3, 1, 4, 2, 5}, {3, 0, 4, 1, 5, 2}, {5, 2, 4, 1, 3, 0}, {2, 5, 1, 4, 0, 3}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    INFO(orientation);
    const Tensor turned = turn_upright(image, orientation);
    CHECK(turned.shape() == (orientation < 5 ? Shape{2, 3, 2} : Shape{3, 2, 2}));
    const std::vector<int> got = turned.to_vector<int>();
    for (size_t i = 0; i < 6; ++i) {
      CHECK(got[2 * i] == upright[static_cast<size_t>(orientation - 1)][i]);
      CHECK(got[2 * i + 1] == 10 * got[2 * i]);
    }
  }
  REQUIRE_THROWS_WITH(turn_upright(image, 9), contains("orientation must be in [1, 8], got 9"));
}

TEST_CASE("exif: decoding turns JPEG and PNG") {
  const std::vector<uint8_t> jpeg = reference_file("jpeg_444");
  const Tensor stored = decode_image(jpeg, "x");
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto file = with_app1(jpeg, kExif + tiff(static_cast<uint32_t>(orientation)));
    const Tensor turned = decode_image(file, "x");
    const Tensor expected = turn_upright(stored, orientation);
    REQUIRE(turned.shape() == expected.shape());
    CHECK(turned.to_vector<int>() == expected.to_vector<int>());
  }
  // Other notes, and damaged ones, leave the picture as it is stored.
  for (const std::string& segment :
       {std::string("http://ns.adobe.com/xap/1.0/"), kExif, kExif + "II", kExif + tiff(77)})
    CHECK(decode_image(with_app1(jpeg, segment), "x").to_vector<int>() == stored.to_vector<int>());

  std::string png = plain_png(5, 3, 10, 20, 30);
  CHECK(decode_image(std::vector<uint8_t>(png.begin(), png.end()), "x").shape() == Shape{3, 5, 3});
  png.insert(33, png_chunk("eXIf", tiff(6, false)));  // behind IHDR
  CHECK(decode_image(std::vector<uint8_t>(png.begin(), png.end()), "x").shape() == Shape{5, 3, 3});
}
