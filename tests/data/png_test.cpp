// PNG: every filter, kind and depth against samples that are known, label maps, and data that are
// not what the header says.
#include "data/png.h"

#include "core/rng.h"
#include "data/image.h"
#include "data/png_stored.h"
#include "tests/support/catch.h"
#include "tests/support/image_files.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

struct Png {
  int64_t width = 0, height = 0;
  int depth = 8, colour = 2, channels = 3;
  bool interlaced = false;
  std::string palette = {};
  size_t pieces = 1;  // IDAT chunks
};

std::string packed(const std::string& rows) {
  uLongf size = compressBound(rows.size());
  std::string out(size, '\0');
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
           rows.size());
  out.resize(size);
  return out;
}

std::string file_of(const Png& png, const std::string& rows) {
  std::string header =
      big_endian(static_cast<uint32_t>(png.width)) + big_endian(static_cast<uint32_t>(png.height));
  for (const int byte : {png.depth, png.colour, 0, 0, png.interlaced ? 1 : 0})
    header += static_cast<char>(byte);
  std::string out = "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header);
  if (!png.palette.empty()) out += png_chunk("PLTE", png.palette);
  const std::string data = packed(rows);
  for (size_t i = 0; i < png.pieces; ++i) {
    const size_t begin = data.size() * i / png.pieces, end = data.size() * (i + 1) / png.pieces;
    out += png_chunk("IDAT", data.substr(begin, end - begin));
  }
  return out + png_chunk("IEND", "");
}

// The lines of `samples`, filtered by the book: line y with filter first + y, or `filter` alone.
std::string filtered(const std::vector<uint8_t>& samples, int64_t line, int64_t channels,
                     int filter) {
  std::string rows;
  const auto at = [&](int64_t y, int64_t i) -> int {
    return y < 0 || i < 0 ? 0 : samples[static_cast<size_t>(y * line + i)];
  };
  for (int64_t y = 0; y < static_cast<int64_t>(samples.size()) / line; ++y) {
    const int kind = filter >= 0 ? filter : static_cast<int>(y % 5);
    rows += static_cast<char>(kind);
    for (int64_t i = 0; i < line; ++i) {
      const int a = at(y, i - channels), b = at(y - 1, i),
                c = i < channels ? 0 : at(y - 1, i - channels);
      int guess = 0;
      if (kind == 1) guess = a;
      if (kind == 2) guess = b;
      if (kind == 3) guess = (a + b) / 2;
      if (kind == 4) {
        const int p = a + b - c, pa = std::abs(p - a), pb = std::abs(p - b), pc = std::abs(p - c);
        guess = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
      }
      rows += static_cast<char>(at(y, i) - guess);
    }
  }
  return rows;
}

std::vector<uint8_t> noise(int64_t count, uint64_t below = 256) {
  Rng rng(static_cast<uint64_t>(count));
  std::vector<uint8_t> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<uint8_t>(rng.below(below)));
  return out;
}

std::vector<uint8_t> bytes(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

TEST_CASE("png: every filter for every number of channels") {
  const struct { int colour, channels; } kinds[] = {{0, 1}, {4, 2}, {2, 3}, {6, 4}};
  for (const auto& kind : kinds)
    for (int filter = -1; filter < 5; ++filter)
      for (const int64_t width : {1, 2, 7, 33}) {
        const Png png{.width = width,
                      .height = 9,
                      .colour = kind.colour,
                      .channels = kind.channels,
                      .pieces = filter == 2 ? 3u : 1u};
        const int64_t line = width * kind.channels;
        const std::vector<uint8_t> samples = noise(line * png.height);
        const std::string file = file_of(png, filtered(samples, line, kind.channels, filter));
        INFO(kind.channels << " channels, filter " << filter << ", width " << width);
        const auto got = png_samples(bytes(file), "x");
        REQUIRE(got);
        CHECK(got->samples.shape() == Shape{9, width, kind.channels});
        CHECK(got->samples.to_vector<uint8_t>() == samples);
        const Tensor rgb = decode_image(bytes(file), "x");
        for (int64_t i = 0; i < rgb.numel(); ++i) {
          const int64_t channel = kind.channels >= 3 ? i % 3 : 0;
          REQUIRE(rgb.data<uint8_t>()[i] ==
                  samples[static_cast<size_t>(i / 3 * kind.channels + channel)]);
        }
      }
}

TEST_CASE("png: pixels are inflated beforehand, where they are what the header says") {
  const auto bytes_of = [](const std::string& file) {
    return std::span(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  };
  const Png png{.width = 300, .height = 250, .palette = std::string(9, 'p'), .pieces = 3};
  const std::vector<uint8_t> samples = noise(300 * 250 * 3);
  const std::string rows = filtered(samples, 900, 3, 4), file = file_of(png, rows);
  const Tensor stored = stored_png(bytes_of(file), rows.size());
  REQUIRE(stored.defined());
  const std::string got(reinterpret_cast<const char*>(stored.data<uint8_t>()),
                        static_cast<size_t>(stored.numel()));
  // The other chunks as they were, one with the pixels: zlib's header, blocks, two checksums of 0.
  const size_t first = file.find("IDAT") - 4, after = got.size() - 12;
  CHECK(got.substr(0, first) == file.substr(0, first));
  CHECK(got.substr(after) == file.substr(file.size() - 12));
  CHECK(got.substr(first, 8) ==
        big_endian(static_cast<uint32_t>(after - first - 12)) + std::string("IDAT"));
  std::string pixels;
  size_t at = first + 10;
  for (bool last = false; !last;) {
    last = got[at] == 1;
    const size_t size = uint8_t(got[at + 1]) | size_t{uint8_t(got[at + 2])} << 8;
    CHECK((size ^ (uint8_t(got[at + 3]) | size_t{uint8_t(got[at + 4])} << 8)) == 0xffff);
    pixels += got.substr(at + 5, size);
    at += 5 + size;
  }
  CHECK(pixels == rows);
  CHECK(got.substr(at, after - at) == std::string(8, '\0'));
  CHECK(decode_image(bytes_of(file), "p", 3).to_vector<uint8_t>() == samples);

  // Too few or too many pixels, a chunk between those with pixels, damage, none.
  CHECK_FALSE(stored_png(bytes_of(file), rows.size() + 1).defined());
  CHECK_FALSE(stored_png(bytes_of(file), rows.size() - 1).defined());
  CHECK_FALSE(stored_png(bytes_of(file), 0).defined());
  std::string apart = file;
  apart.insert(apart.find("IDAT", first + 8) - 4, png_chunk("teXt", "between"));
  CHECK_FALSE(stored_png(bytes_of(apart), rows.size()).defined());
  std::string damaged = file;
  damaged[first + 500] = static_cast<char>(damaged[first + 500] ^ 16);
  CHECK_FALSE(stored_png(bytes_of(damaged), rows.size()).defined());
  // Then libspng says what it makes of them: here, of more lines than announced.
  const std::string longer = file_of(png, rows + rows);
  CHECK(decode_image(bytes_of(longer), "p", 3).to_vector<uint8_t>() == samples);
  const std::string shorter = file_of(png, rows.substr(0, rows.size() / 2));
  CHECK_THROWS_WITH(decode_image(bytes_of(shorter), "p", 3), contains("[image] cannot decode p:"));
}

TEST_CASE("png: label maps keep indices of a palette and small grey values") {
  const std::string palette("\x00\x00\x00\xff\x00\x00\x00\xff\x00\x00\x00\xff", 12);
  for (const int colour : {0, 3}) {
    Png png{.width = 11, .height = 6, .colour = colour, .channels = 1};
    if (colour == 3) png.palette = palette;
    const std::vector<uint8_t> samples = noise(66, 4);
    const Tensor labels = decode_label_map(bytes(file_of(png, filtered(samples, 11, 1, -1))), "x");
    CHECK(labels.shape() == Shape{6, 11});
    CHECK(labels.to_vector<uint8_t>() == samples);
    // Two bits a sample: four to the byte, the rest of a line is padding.
    png.depth = 2;
    std::string rows;
    for (size_t y = 0; y < 6; ++y) {
      rows += '\0';
      for (size_t x = 0; x < 11; x += 4) {
        int byte = 0;
        for (size_t k = 0; k < 4; ++k)
          byte = byte << 2 | (x + k < 11 ? samples[y * 11 + x + k] : 0);
        rows += static_cast<char>(byte);
      }
    }
    CHECK(decode_label_map(bytes(file_of(png, rows)), "x").to_vector<uint8_t>() == samples);
    // As a picture: colours of the palette, or grey from black to white.
    const Tensor rgb = decode_image(bytes(file_of(png, rows)), "x");
    for (size_t i = 0; i < 66; ++i)
      for (size_t c = 0; c < 3; ++c)
        REQUIRE(
            rgb.data<uint8_t>()[3 * i + c] ==
            (colour == 3 ? static_cast<uint8_t>(palette[3u * samples[i] + c]) : 85 * samples[i]));
  }
}

TEST_CASE("png: what is no label map is refused") {
  const auto refused = [](const Png& png, const std::string& rows, const std::string& text) {
    REQUIRE_THROWS_WITH(decode_label_map(bytes(file_of(png, rows)), "mask.png"), contains(text));
  };
  const std::string five(5 * 16, '\0');
  refused({.width = 5, .height = 5}, std::string(5 * 16, '\0'), "one value of at most 8 bits");
  refused({.width = 5, .height = 5, .depth = 16, .colour = 0, .channels = 1},
          std::string(5 * 11, '\0'), "one value of at most 8 bits");
  refused({.width = 5, .height = 5, .colour = 0, .channels = 1, .interlaced = true},
          std::string(5 * 6 + 20, '\0'), "not interlaced");
  refused({.width = 5, .height = 5, .colour = 0, .channels = 1}, std::string(5 * 6 - 1, '\0'),
          "cannot decode mask.png");
  refused({.width = 5, .height = 5, .colour = 0, .channels = 1},
          std::string(1, '\5') + std::string(29, '\0'), "cannot decode mask.png");
  REQUIRE_THROWS_WITH(decode_label_map(reference_file("jpeg_grey"), "mask.jpg"),
                      contains("must be a PNG: mask.jpg"));
  const Png indexed{
      .width = 2, .height = 1, .colour = 3, .channels = 1, .palette = std::string(6, '\0')};
  REQUIRE_THROWS_WITH(decode_image(bytes(file_of(indexed, std::string("\0\0\2", 3))), "x.png"),
                      contains("colour 2 is not in the palette"));
}

TEST_CASE("png: interlaced and 16-bit pictures are decoded, too") {
  const Tensor deep = decode_image(reference_file("png_grey16"), "x");
  CHECK_FALSE(png_samples(reference_file("png_grey16"), "x"));
  CHECK(deep.shape() == Shape{17, 23, 3});
  // One pixel: the first of the seven passes alone.
  const Png png{.width = 1, .height = 1, .interlaced = true};
  const Tensor pixel = decode_image(bytes(file_of(png, std::string("\0\x11\x22\x33", 4))), "x");
  CHECK(pixel.to_vector<int>() == std::vector<int>{0x11, 0x22, 0x33});
}
