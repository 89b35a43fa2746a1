#include "data/png_stored.h"

#include <libdeflate.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace ditto::data {
namespace {

constexpr size_t kSignature = 8, kChunk = 12;  // of a chunk: length, type and checksum
constexpr size_t kBlock = 65535, kBlockHeader = 5;

size_t big_endian(const uint8_t* p) {
  return size_t{p[0]} << 24 | size_t{p[1]} << 16 | size_t{p[2]} << 8 | p[3];
}
void put_big_endian(uint8_t* p, size_t value) {
  for (int i = 3; i >= 0; --i, value >>= 8) p[i] = static_cast<uint8_t>(value);
}
bool is_data(const uint8_t* chunk) { return std::memcmp(chunk + 4, "IDAT", 4) == 0; }

}  // namespace

Tensor stored_png(std::span<const uint8_t> bytes, size_t size) {
  // Where the chunks with pixels begin and end, and how much they hold.
  size_t first = 0, last = 0, packed_size = 0;
  for (size_t at = kSignature; at + kChunk <= bytes.size();) {
    const uint8_t* const chunk = bytes.data() + at;
    const size_t next = at + big_endian(chunk) + kChunk;
    if (is_data(chunk)) {
      if (first != 0 && last != at) return {};
      if (first == 0) first = at;
      last = next;
      packed_size += next - at - kChunk;
    }
    at = next;
  }
  const size_t blocks = (size + kBlock - 1) / kBlock;
  const size_t stored = 2 + size + blocks * kBlockHeader + 4;  // with zlib's header and checksum
  if (packed_size == 0 || size == 0 || stored >> 31 != 0) return {};
  const Tensor packed = Tensor::empty({static_cast<int64_t>(packed_size)}, Dtype::U8);
  for (size_t at = first, to = 0; at < last;) {
    const size_t length = big_endian(bytes.data() + at);
    std::memcpy(packed.data<uint8_t>() + to, bytes.data() + at + 8, length);
    to += length, at += length + kChunk;
  }

  const size_t total = first + kChunk + stored + bytes.size() - last;
  const Tensor out = Tensor::empty({static_cast<int64_t>(total)}, Dtype::U8);
  // The pixels first go to the end of the place for the blocks, then each block where it belongs.
  uint8_t* const chunk = out.data<uint8_t>() + first;
  uint8_t* to = chunk + 8;
  const uint8_t* from = to + stored - size;
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> inflate(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (!inflate ||
      libdeflate_zlib_decompress(inflate.get(), packed.data<uint8_t>(), packed_size,
                                 to + stored - size, size, nullptr) != LIBDEFLATE_SUCCESS)
    return {};
  *to++ = 0x78, *to++ = 0x01;
  for (size_t left = size; left > 0;) {
    const size_t block = std::min(left, kBlock);
    left -= block;
    const uint8_t low = block & 255, high = static_cast<uint8_t>(block >> 8);
    const uint8_t header[kBlockHeader] = {left == 0, low, high, static_cast<uint8_t>(~low),
                                          static_cast<uint8_t>(~high)};
    to = std::copy_n(header, kBlockHeader, to);
    std::memmove(to, from, block);
    to += block, from += block;
  }
  // zlib's checksum and that of the chunk stay 0.
  std::fill_n(to, 8, uint8_t{0});
  put_big_endian(chunk, stored);
  std::memcpy(chunk + 4, "IDAT", 4);
  std::copy_n(bytes.data(), first, out.data<uint8_t>());
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(last), bytes.end(), to + 8);
  return out;
}

}  // namespace ditto::data
