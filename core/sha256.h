// SHA-256, to recognise the official files of a data set and damaged checkpoints.
//
// Source: NIST FIPS 180-4, sections 4.1.2, 5.1.1 and 6.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ditto {

// The digest of bytes that come piece by piece.
class Sha256 {
 public:
  void update(std::span<const uint8_t> bytes);
  // 64 lower-case hexadecimal digits. Once; afterwards the object is used up.
  std::string digest();

 private:
  // The fractional parts of the square roots of the first eight primes.
  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> block_{};  // the first length_ % 64 bytes wait for the rest
  uint64_t length_ = 0;
};

// The digest of `bytes` as 64 lower-case hexadecimal digits.
std::string sha256(std::span<const uint8_t> bytes);
inline std::string sha256(std::string_view text) {
  return sha256({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace ditto
