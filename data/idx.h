// The idx file format of MNIST, plain or compressed with gzip.
//
// Source: Y. LeCun, "The MNIST database": bytes 0 0 8 r (unsigned bytes, r dimensions), r sizes as
// 32-bit big-endian numbers, then the elements in row-major order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ditto::data {

struct IdxArray {
  std::vector<int64_t> sizes;
  std::vector<uint8_t> values;
  std::string sha256;  // of the whole uncompressed file; only where asked for
};

// Reads a file of `rank` dimensions. Throws "[idx] ..." with the path and the byte offset in the
// uncompressed content when the file is missing, not an idx file of unsigned bytes, of another
// rank, truncated, longer than its sizes say, or damaged (gzip's checksum).
IdxArray read_idx(const std::filesystem::path& path, int rank, bool digest = false);

}  // namespace ditto::data
