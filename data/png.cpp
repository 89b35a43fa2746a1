#include "data/png.h"

#include <libdeflate.h>

#include <cstring>
#include <memory>
#include <vector>

namespace ditto::data {
namespace {

uint32_t big_endian(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

struct Chunks {
  uint8_t depth = 0, colour = 0, interlace = 0;
  int64_t width = 0, height = 0;
  std::span<const uint8_t> palette, data;
  std::vector<uint8_t> joined;  // what `data` refers to, where there are several IDAT
};

Chunks read_chunks(std::span<const uint8_t> bytes) {
  Chunks out;
  constexpr size_t kSignature = 8, kAround = 12;  // length, type and checksum
  for (size_t at = kSignature; at + kAround <= bytes.size();) {
    const size_t length = big_endian(&bytes[at]);
    const std::string_view type(reinterpret_cast<const char*>(&bytes[at + 4]), 4);
    const std::span<const uint8_t> body = bytes.subspan(at + 8, length);
    if (type == "IHDR") {
      out.width = big_endian(&body[0]), out.height = big_endian(&body[4]);
      out.depth = body[8], out.colour = body[9], out.interlace = body[12];
    } else if (type == "PLTE") {
      out.palette = body;
    } else if (type == "IDAT") {
      if (out.data.empty()) {
        out.data = body;
      } else {
        if (out.joined.empty()) out.joined.assign(out.data.begin(), out.data.end());
        out.joined.insert(out.joined.end(), body.begin(), body.end());
      }
    } else if (type == "IEND") {
      break;
    }
    at += kAround + length;
  }
  if (!out.joined.empty()) out.data = out.joined;
  return out;
}

// The samples of one pixel, one per lane: each depends on the pixel before, but not on its
// neighbours. A pixel of three bytes is read with the byte behind it.
using Pixel [[gnu::vector_size(8)]] = int16_t;

template <int B>
Pixel load(const uint8_t* from) {
  using Bytes [[gnu::vector_size(4)]] = uint8_t;
  Bytes bytes{};
  std::memcpy(&bytes, from, B == 3 ? 4 : B);
  return __builtin_convertvector(bytes, Pixel);
}

template <int B>
void store(Pixel pixel, uint8_t* to) {
  using Bytes [[gnu::vector_size(4)]] = uint8_t;
  const Bytes bytes = __builtin_convertvector(pixel, Bytes);
  std::memcpy(to, &bytes, B);
}

inline Pixel absolute(Pixel v) { return v < 0 ? -v : v; }

// The neighbour that is nearest to left + up - corner.
inline Pixel paeth(Pixel left, Pixel up, Pixel corner) {
  const Pixel across = up - corner, along = left - corner;
  const Pixel to_left = absolute(across), to_up = absolute(along),
              to_corner = absolute(across + along);
  const Pixel other = to_up <= to_corner ? up : corner;
  return ((to_left <= to_up) & (to_left <= to_corner)) ? left : other;
}

// Takes the filter of one line back, in place. `up` is the line above, zeros for the first.
template <int B>
void unfilter(int filter, uint8_t* line, const uint8_t* up, int64_t bytes) {
  Pixel left{}, corner{};
  switch (filter) {
    case 1:
      for (int64_t i = 0; i < bytes; i += B)
        store<B>(left = (load<B>(line + i) + left) & 255, line + i);
      break;
    case 2:
      for (int64_t i = 0; i < bytes; ++i) line[i] = static_cast<uint8_t>(line[i] + up[i]);
      break;
    case 3:
      for (int64_t i = 0; i < bytes; i += B)
        store<B>(left = (load<B>(line + i) + ((left + load<B>(up + i)) >> 1)) & 255, line + i);
      break;
    default:
      for (int64_t i = 0; i < bytes; i += B) {
        const Pixel above = load<B>(up + i);
        store<B>(left = (load<B>(line + i) + paeth(left, above, corner)) & 255, line + i);
        corner = above;
      }
  }
}

void unfilter(int channels, int filter, uint8_t* line, const uint8_t* up, int64_t bytes) {
  switch (channels) {
    case 1:
      return unfilter<1>(filter, line, up, bytes);
    case 2:
      return unfilter<2>(filter, line, up, bytes);
    case 3:
      return unfilter<3>(filter, line, up, bytes);
    default:
      return unfilter<4>(filter, line, up, bytes);
  }
}

// Samples of 1, 2 or 4 bits, the leftmost in the highest bits.
void unpack(const uint8_t* line, int depth, int64_t width, uint8_t* out) {
  const int mask = (1 << depth) - 1;
  for (int64_t x = 0; x < width; ++x) {
    const int64_t bit = x * depth;
    out[x] = static_cast<uint8_t>(line[bit / 8] >> (8 - depth - bit % 8) & mask);
  }
}

struct Inflater {
  libdeflate_decompressor* handle = libdeflate_alloc_decompressor();
  ~Inflater() { libdeflate_free_decompressor(handle); }
};

}  // namespace

std::optional<PngSamples> png_samples(std::span<const uint8_t> bytes, std::string_view name) {
  const Chunks in = read_chunks(bytes);
  constexpr int kChannels[] = {1, 0, 3, 1, 2, 0, 4};
  const int channels = in.colour < 7 ? kChannels[in.colour] : 0;
  const bool one_sample = in.colour == 0 || in.colour == 3;
  const bool depth_known =
      in.depth == 8 || (one_sample && (in.depth == 1 || in.depth == 2 || in.depth == 4));
  if (in.interlace != 0 || in.depth == 16) return std::nullopt;
  if (channels == 0 || !depth_known)
    fail("[image] cannot decode", printable(name) + ": colour type", int{in.colour}, "with",
         int{in.depth}, "bits is no PNG");

  const int64_t line_bytes = (in.width * channels * in.depth + 7) / 8;
  const auto size = static_cast<size_t>((line_bytes + 1) * in.height);
  // Behind a line of zeros, which stands above the first; with a byte at the end for load().
  const Tensor inflated = Tensor::empty({static_cast<int64_t>(size) + line_bytes + 1}, Dtype::U8);
  uint8_t* const zeros = inflated.data<uint8_t>();
  std::memset(zeros, 0, static_cast<size_t>(line_bytes));
  uint8_t* const lines = zeros + line_bytes;
  thread_local const Inflater inflater;
  check(inflater.handle != nullptr, "[image] no memory to inflate in");
  size_t got = 0;
  switch (libdeflate_zlib_decompress(inflater.handle, in.data.data(), in.data.size(), lines, size,
                                     &got)) {
    case LIBDEFLATE_SUCCESS:
      break;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
      return std::nullopt;
    default:
      fail("[image] cannot decode", printable(name) + ": damaged compressed data");
  }
  check(got == size, "[image] cannot decode", printable(name) + ": not enough pixels,", got,
        "bytes instead of", size);

  PngSamples out{Tensor::empty({in.height, in.width, channels}, Dtype::U8), in.depth,
                 in.colour == 3, in.palette};
  uint8_t* to = out.samples.data<uint8_t>();
  const uint8_t* up = zeros;
  for (int64_t y = 0; y < in.height; ++y, to += in.width * channels) {
    uint8_t* const line = lines + y * (line_bytes + 1) + 1;
    const int filter = line[-1];
    check(filter <= 4, "[image] cannot decode", printable(name) + ": filter", filter, "in line", y);
    if (filter > 0) unfilter(in.depth == 8 ? channels : 1, filter, line, up, line_bytes);
    up = line;
    if (in.depth == 8)
      std::memcpy(to, line, static_cast<size_t>(line_bytes));
    else
      unpack(line, in.depth, in.width, to);
  }
  return out;
}

}  // namespace ditto::data
