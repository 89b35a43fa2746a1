// Inflating a PNG's pixels faster than the library that undoes the rest.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"

namespace ditto::data {

// The PNG `bytes`, which have passed check_structure, with its pixels stored instead of compressed
// (deflate's blocks without compression, RFC 1951 3.2.4), and no checksum of them: libspng's zlib
// then copies them. libdeflate needs less than half of zlib's time, which is half of a
// photograph's. A tensor of bytes; undefined where the data do not inflate to exactly `size` bytes
// or do not lie in one piece: then it is libspng that says what is wrong, if anything is.
Tensor stored_png(std::span<const uint8_t> bytes, size_t size);

}  // namespace ditto::data
