#include "data/image.h"

#include <sys/stat.h>

#include <cstdlib>

#include "tests/support/catch.h"
#include "tests/support/image_files.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// The bytes in a block of their own size, so that AddressSanitizer sees reads beyond them.
Tensor decode_copy(std::span<const uint8_t> bytes) {
  const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  return decode_image(copy, "damaged");
}

// True when decoding ends with our error; touches every pixel otherwise.
bool refused(std::span<const uint8_t> bytes) {
  try {
    const Tensor image = decode_copy(bytes);
    int64_t sum = 0;
    for (const int64_t v : image.to_vector<int64_t>()) sum += v;
    CHECK(sum >= 0);
    return false;
  } catch (const Error& error) {
    CHECK_THAT(std::string(error.what()), contains("damaged"));
    return true;
  }
}

std::vector<std::string> reference_names() {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : reference_images())
    if (name.starts_with("file.")) names.push_back(name.substr(5));
  return names;
}

}  // namespace

TEST_CASE("image: JPEG and PNG of every kind hold what Pillow sees in them") {
  REQUIRE(reference_names().size() == 11);
  for (const std::string& name : reference_names()) {
    INFO(name);
    const Tensor expected = reference_images().at("pixels." + name);
    const Tensor image = decode_image(reference_file(name), name);
    REQUIRE(image.shape() == expected.shape());
    int64_t worst = 0;
    double total = 0;
    for (int64_t i = 0; i < image.numel(); ++i) {
      const int64_t difference =
          std::abs(int{image.data<uint8_t>()[i]} - int{expected.data<uint8_t>()[i]});
      worst = std::max(worst, difference);
      total += double(difference);
    }
    // Decoders of JPEG may round as they like, and interpolate colour between its samples.
    const bool jpeg = name.starts_with("jpeg"), coarse_colour = name == "jpeg_420";
    CHECK(worst <= (coarse_colour ? 12 : jpeg ? 4 : 0));
    CHECK(total / double(image.numel()) <= (jpeg ? 1.0 : 0));
  }
}

TEST_CASE("image: grey on request") {
  const Tensor grey = decode_image(reference_file("png_grey"), "grey", 1);
  const Tensor rgb = decode_image(reference_file("png_grey"), "grey", 3);
  CHECK(grey.shape() == Shape{17, 23, 1});
  for (int64_t i = 0; i < rgb.numel(); ++i)
    REQUIRE(rgb.data<uint8_t>()[i] == grey.data<uint8_t>()[i / 3]);
  REQUIRE_THROWS_WITH(decode_image(reference_file("png_grey"), "grey", 4), contains("1 or 3"));
}

TEST_CASE("image: a file cut anywhere is refused") {
  for (const std::string& name : reference_names()) {
    const std::vector<uint8_t> file = reference_file(name);
    int64_t accepted = 0;
    for (size_t size = 0; size < file.size(); ++size)
      accepted += !refused(std::span(file).first(size));
    INFO(name);
    CHECK(accepted == 0);
  }
  const std::vector<uint8_t> jpeg = reference_file("jpeg_444");
  REQUIRE_THROWS_WITH(decode_image(std::span(jpeg).first(700), "photo.jpg"),
                      contains("truncated JPEG: photo.jpg ends at byte 700"));
}

TEST_CASE("image: a changed byte anywhere is refused, or decodes to some picture") {
  for (const std::string& name : reference_names()) {
    std::vector<uint8_t> file = reference_file(name);
    int64_t accepted = 0;
    for (size_t at = 0; at < file.size(); ++at)
      for (const int change : {0x01, 0x80, 0xff, int(file[at]), 0x10}) {
        file[at] ^= static_cast<uint8_t>(change);
        accepted += change != 0 && !refused(file);
        file[at] ^= static_cast<uint8_t>(change);
      }
    INFO(name);
    // A PNG has checksums. A JPEG has none: most changes make another picture.
    if (name.starts_with("png")) CHECK(accepted == 0);
  }
}

TEST_CASE("image: a JPEG that lacks a restart interval is refused, a coarse one is not") {
  // Decoders stop there, silently, and the rest stays grey.
  std::vector<uint8_t> file = reference_file("jpeg_restart");
  size_t first = 0, second = 0;
  for (size_t i = 1; i < file.size(); ++i)
    if (file[i - 1] == 0xff && file[i] >= 0xd0 && file[i] <= 0xd7) {
      (first == 0 ? first : second) = i - 1;
      if (second > 0) break;
    }
  REQUIRE(second > first);
  file.erase(file.begin() + int64_t(first), file.begin() + int64_t(second));
  REQUIRE_THROWS_WITH(decode_image(file, "photo.jpg"), contains("out of order"));

  // A progressive file that ends behind its first scan shows the whole picture.
  file = reference_file("jpeg_progressive");
  size_t scans = 0, cut = 0;
  for (size_t i = 1; i < file.size() && cut == 0; ++i)
    if (file[i - 1] == 0xff && file[i] == 0xda && ++scans == 2) cut = i - 1;
  REQUIRE(cut > 0);
  file.resize(cut);
  file.insert(file.end(), {0xff, 0xd9});
  CHECK(decode_image(file, "coarse.jpg").shape() == Shape{17, 23, 3});  // complete, if coarse
}

TEST_CASE("image: a JPEG that repeats a scan to waste time is refused") {
  const std::vector<uint8_t> file = reference_file("jpeg_progressive");
  size_t last = 0;
  for (size_t i = 1; i < file.size(); ++i)
    if (file[i - 1] == 0xff && file[i] == 0xda) last = i - 1;
  REQUIRE(last > 0);
  const std::vector<uint8_t> scan(file.begin() + int64_t(last), file.end() - 2);
  std::vector<uint8_t> bomb(file.begin(), file.end() - 2);
  for (int i = 0; i < 100; ++i) bomb.insert(bomb.end(), scan.begin(), scan.end());
  bomb.insert(bomb.end(), {0xff, 0xd9});
  REQUIRE_THROWS_WITH(decode_image(bomb, "bomb.jpg"), contains("too many scans"));
}

TEST_CASE("image: Huffman tables that overrun the decoder's memory are refused") {
  const std::vector<uint8_t> file = reference_file("jpeg_444");
  size_t table = 0;
  while (!(file[table] == 0xff && file[table + 1] == 0xc4)) ++table;
  for (const int count : {0xff, 0x7f}) {
    std::vector<uint8_t> changed = file;
    for (size_t i = 5; i < 21; ++i) changed[table + i] = static_cast<uint8_t>(count);
    REQUIRE_THROWS_WITH(decode_image(changed, "photo.jpg"),
                        contains("more than 256 codes: photo.jpg"));
  }
}

TEST_CASE("image: headers that promise too much are refused before memory is taken") {
  REQUIRE_THROWS_WITH(decode_image(bytes_of(png_file(60000, 60000, "x")), "bomb.png"),
                      contains("picture too large: bomb.png 60000 x 60000"));
  REQUIRE_THROWS_WITH(decode_image(bytes_of(png_file(16385, 1, "x")), "bomb.png"),
                      contains("picture too large"));
  REQUIRE_THROWS_WITH(decode_image(bytes_of(png_file(0xffffffff, 0xffffffff, "x")), "bomb.png"),
                      contains("picture too large"));
  REQUIRE_THROWS_WITH(decode_image(bytes_of(png_file(8000, 8000, "x")), "bomb.png"),
                      contains("suspicious compression: bomb.png makes 192000000 bytes"));
  REQUIRE_THROWS_WITH(decode_image(bytes_of(png_file(0, 10, "x")), "thin.png"),
                      contains("without pixels"));
  REQUIRE_THROWS_WITH(decode_image(bytes_of(png_file(100, 100, "x")), "short.png"),
                      contains("cannot decode short.png"));
  // A small picture whose data would inflate to 200 MB: no more of them is than it has pixels.
  CHECK(
      decode_image(bytes_of(png_file(10, 10, std::string(200 << 20, '\0'))), "bomb.png").shape() ==
      Shape{10, 10, 3});
  std::vector<uint8_t> jpeg = reference_file("jpeg_444");
  for (size_t i = 0; i + 8 < jpeg.size(); ++i)
    if (jpeg[i] == 0xff && jpeg[i + 1] == 0xc0) {
      jpeg[i + 5] = jpeg[i + 7] = 0xff;
      break;
    }
  REQUIRE_THROWS_WITH(decode_image(jpeg, "bomb.jpg"), contains("picture too large: bomb.jpg"));
  // One colour compresses a thousandfold, which is no reason to refuse a picture of usual size.
  CHECK(decode_image(bytes_of(plain_png(1000, 1000, 0, 0, 0)), "black.png").dim(0) == 1000);
}

TEST_CASE("image: files that are none, and limits") {
  const TempDir dir;
  REQUIRE_THROWS_WITH(decode_image(bytes_of("GIF89a......"), "x.gif"),
                      contains("neither JPEG nor PNG: x.gif starts with GIF89a"));
  REQUIRE_THROWS_WITH(decode_image({}, "x.png"), contains("empty file: x.png"));
  write_file(dir / "empty.jpg", "");
  REQUIRE_THROWS_WITH(read_image(dir / "empty.jpg"), contains("empty.jpg"));
  REQUIRE_THROWS_WITH(read_image(dir.path()), contains("not a regular file"));
  REQUIRE_THROWS_WITH(read_image(dir / "nothing.jpg"), contains("cannot open"));
  REQUIRE(mkfifo((dir / "pipe.jpg").c_str(), 0600) == 0);
  REQUIRE_THROWS_WITH(read_image(dir / "pipe.jpg"), contains("not a regular file"));
  write_file(dir / "large.jpg", "");
  std::filesystem::resize_file(dir / "large.jpg", (int64_t{64} << 20) + 1);
  REQUIRE_THROWS_WITH(read_image(dir / "large.jpg"), contains("file too large"));
  write_file(dir / "odd\nname.png", "x");
  REQUIRE_THROWS_WITH(read_image(dir / "odd\nname.png"), contains("odd\\x0aname.png"));

  const std::string png = plain_png(5, 3, 10, 20, 30);
  write_file(dir / "small.png", png);
  const Tensor image = read_image(dir / "small.png");
  CHECK(image.shape() == Shape{3, 5, 3});
  CHECK(image.to_vector<int>()[4] == 20);
  REQUIRE_THROWS_WITH(read_image(dir / "small.png", 3, {.pixels = 14}),
                      contains("the limits are 16384 a side and 14 in all"));
  REQUIRE_THROWS_WITH(read_image(dir / "small.png", 3, {.file_bytes = 20}),
                      contains("limit is 20"));
}
