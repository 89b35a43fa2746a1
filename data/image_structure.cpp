#include "data/image_structure.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/exif.h"

namespace ditto::data {
namespace {

constexpr std::array<uint8_t, 8> kPngSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
// Every scan of a progressive JPEG walks the whole picture; real ones have about ten. The second
// limit, on scans times pixels, bounds the time of a large picture.
constexpr int kMostScans = 100;
constexpr int64_t kMostScannedPixels = 1'000'000'000;

// The bytes with a position; reading beyond the end is an error that says where.
class Cursor {
 public:
  Cursor(std::span<const uint8_t> bytes, std::string_view name, const char* kind)
      : bytes_(bytes), name_(printable(name)), kind_(kind) {}

  size_t position() const { return position_; }
  bool at_end() const { return position_ == bytes_.size(); }
  uint32_t number(int bytes) {
    need(static_cast<size_t>(bytes));
    uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | bytes_[position_++];
    return value;
  }
  std::span<const uint8_t> take(size_t n) {
    need(n);
    position_ += n;
    return bytes_.subspan(position_ - n, n);
  }
  void expect(bool ok, const char* what) const {
    if (!ok)
      fail(std::string("[image] ") + what + ":", name_, "is a damaged", kind_, "at byte",
           position_);
  }
  [[noreturn]] void truncated() const {
    fail(std::string("[image] truncated ") + kind_ + ":", name_, "ends at byte", bytes_.size());
  }
  const std::string& name() const { return name_; }

 private:
  void need(size_t n) const {
    if (n > bytes_.size() - position_) truncated();
  }
  std::span<const uint8_t> bytes_;
  std::string name_;
  const char* kind_;
  size_t position_ = 0;
};

ImageStructure check_png(std::span<const uint8_t> bytes, std::string_view name) {
  Cursor in(bytes, name, "PNG");
  in.take(kPngSignature.size());
  ImageStructure out{ImageFormat::Png};
  for (bool first = true, data = false;; first = false) {
    const uint32_t length = in.number(4);
    in.expect(length < uint32_t{1} << 31, "chunk too long");
    const std::span<const uint8_t> chunk = in.take(size_t{length} + 4);
    const std::string_view type(reinterpret_cast<const char*>(chunk.data()), 4);
    const uint32_t sum = in.number(4);
    in.expect(crc32(0, chunk.data(), static_cast<uInt>(chunk.size())) == sum,
              "wrong checksum of a chunk");
    in.expect(first == (type == "IHDR"), "IHDR is not the first chunk");
    if (first) {
      in.expect(length == 13, "wrong length of IHDR");
      Cursor header(chunk.subspan(4), name, "PNG");
      out.width = header.number(4), out.height = header.number(4);
      const int64_t depth = header.number(1);
      const uint32_t colour = header.number(1);
      constexpr std::array<int64_t, 7> kChannels = {1, 0, 3, 1, 2, 0, 4};
      in.expect(colour < kChannels.size() && kChannels[colour] > 0, "unknown colour type");
      in.expect(depth >= 1 && depth <= 16, "unknown bit depth");
      out.pixel_bits = depth * kChannels[colour];
    }
    data = data || type == "IDAT";
    if (type == "eXIf") out.orientation = exif_orientation(chunk.subspan(4));
    if (type == "IEND") {
      in.expect(data, "no IDAT");
      return out;
    }
  }
}

class JpegWalk {
 public:
  JpegWalk(std::span<const uint8_t> bytes, std::string_view name) : in_(bytes, name, "JPEG") {}

  ImageStructure run() {
    in_.take(2);  // SOI
    for (int marker = next_marker(); marker != 0xd9;) {
      in_.expect(marker >= 0xc0 && !(marker >= 0xd0 && marker <= 0xd8), "unexpected marker");
      const size_t length = in_.number(2);
      in_.expect(length >= 2, "segment too short");
      const std::span<const uint8_t> segment = in_.take(length - 2);
      const bool frame = marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
      if (frame) read_frame(marker, segment);
      if (marker == 0xc4) check_huffman(segment);
      if (marker == 0xe1) read_exif(segment);
      if (marker == 0xdd) {
        in_.expect(segment.size() == 2, "wrong length of DRI");
        interval_ = int64_t{segment[0]} << 8 | segment[1];
      }
      marker = marker == 0xda ? read_scan(segment) : next_marker();
    }
    in_.expect(!components_.empty(), "no frame header");
    for (const Component& c : components_) in_.expect(c.scanned, "a component has no scan");
    return out_;
  }

 private:
  struct Component {
    int id = 0;
    int64_t across = 1, down = 1;  // sampling factors
    bool scanned = false;
  };

  int next_marker() {
    in_.expect(in_.number(1) == 0xff, "expected a marker");
    uint32_t marker = 0xff;
    while (marker == 0xff) marker = in_.number(1);
    return static_cast<int>(marker);
  }

  // What no decoder should be given: stb_image 2.27 writes beyond its table then.
  void check_huffman(std::span<const uint8_t> segment) {
    while (!segment.empty()) {
      in_.expect(segment.size() >= 17, "Huffman table too short");
      size_t codes = 0;
      for (const uint8_t count : segment.subspan(1, 16)) codes += count;
      in_.expect(codes <= 256, "Huffman table with more than 256 codes");
      in_.expect(segment.size() >= 17 + codes, "Huffman table too short");
      segment = segment.subspan(17 + codes);
    }
  }

  void read_exif(std::span<const uint8_t> segment) {
    constexpr std::array<uint8_t, 6> kExif = {'E', 'x', 'i', 'f', 0, 0};
    if (segment.size() >= kExif.size() && std::ranges::equal(kExif, segment.first(kExif.size())))
      out_.orientation = exif_orientation(segment.subspan(kExif.size()));
  }

  void read_frame(int marker, std::span<const uint8_t> segment) {
    if (marker > 0xc2)
      fail("[image] lossless, hierarchical or arithmetic JPEG is not supported:", in_.name());
    in_.expect(components_.empty(), "second frame header");
    in_.expect(segment.size() >= 6 && segment.size() == 6 + 3 * size_t{segment[5]} &&
                   segment[5] >= 1 && segment[5] <= 4,
               "wrong frame header");
    out_.height = int64_t{segment[1]} << 8 | segment[2];
    out_.width = int64_t{segment[3]} << 8 | segment[4];
    for (size_t at = 6; at < segment.size(); at += 3) {
      const Component c{segment[at], segment[at + 1] >> 4, segment[at + 1] & 15};
      in_.expect(c.across >= 1 && c.across <= 4 && c.down >= 1 && c.down <= 4,
                 "wrong sampling factor");
      components_.push_back(c);
      most_across_ = std::max(most_across_, c.across);
      most_down_ = std::max(most_down_, c.down);
    }
    out_.pixel_bits = 8 * int64_t{segment[5]};
  }

  // Walks the entropy-coded data and returns the marker behind it.
  int read_scan(std::span<const uint8_t> header) {
    in_.expect(!components_.empty(), "scan before the frame header");
    in_.expect(++scans_ <= kMostScans &&
                   (scans_ == 1 ||
                    scans_ * int64_t{out_.width} * int64_t{out_.height} <= kMostScannedPixels),
               "too many scans");
    in_.expect(!header.empty() && header[0] >= 1 && header[0] <= 4 &&
                   header.size() == 4 + 2 * size_t{header[0]},
               "wrong scan header");
    Component* only = nullptr;
    for (size_t i = 0; i < header[0]; ++i) {
      const auto found = std::ranges::find(components_, int{header[1 + 2 * i]}, &Component::id);
      in_.expect(found != components_.end(), "scan of an unknown component");
      if (header[header.size() - 3] == 0) found->scanned = true;  // holds the mean of each block
      only = &*found;
    }
    const auto units = [](int64_t size, int64_t unit) { return (size + unit - 1) / unit; };
    int64_t blocks = units(out_.width, 8 * most_across_) * units(out_.height, 8 * most_down_);
    if (header[0] == 1)
      blocks = units(units(out_.width * only->across, most_across_), 8) *
               units(units(out_.height * only->down, most_down_), 8);
    int64_t restarts = 0;
    for (;;) {
      if (in_.number(1) != 0xff) continue;
      uint32_t marker = 0xff;
      while (marker == 0xff) marker = in_.number(1);
      if (marker == 0) continue;  // a data byte 0xff
      if (marker >= 0xd0 && marker <= 0xd7) {
        in_.expect(marker - 0xd0 == restarts % 8, "restart intervals out of order");
        ++restarts;
        continue;
      }
      // One restart marker behind the last interval is allowed; some encoders write it.
      const int64_t wanted = interval_ > 0 ? std::max<int64_t>(0, units(blocks, interval_) - 1) : 0;
      in_.expect(restarts == wanted || (interval_ > 0 && restarts == wanted + 1),
                 "a scan is incomplete");
      return static_cast<int>(marker);
    }
  }

  Cursor in_;
  ImageStructure out_{ImageFormat::Jpeg};
  std::vector<Component> components_;
  int64_t most_across_ = 1, most_down_ = 1, interval_ = 0;
  int scans_ = 0;
};

}  // namespace

ImageStructure check_structure(std::span<const uint8_t> bytes, std::string_view name) {
  check(!bytes.empty(), "[image] empty file:", printable(name));
  if (bytes.size() >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff)
    return JpegWalk(bytes, name).run();
  if (bytes.size() >= kPngSignature.size() &&
      std::ranges::equal(kPngSignature, bytes.first(kPngSignature.size())))
    return check_png(bytes, name);
  std::string start;
  for (const uint8_t byte : bytes.first(std::min<size_t>(bytes.size(), 8)))
    start += static_cast<char>(byte);
  fail("[image] neither JPEG nor PNG:", printable(name), "starts with", printable(start));
}

}  // namespace ditto::data
