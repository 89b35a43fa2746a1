// SHA-256, to recognise the official files of a data set.
//
// Source: NIST FIPS 180-4, sections 4.1.2, 5.1.1 and 6.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ditto {

// The digest of `bytes` as 64 lower-case hexadecimal digits.
std::string sha256(std::span<const uint8_t> bytes);
inline std::string sha256(std::string_view text) {
  return sha256({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace ditto
