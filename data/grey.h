// The grey value of a decoded pixel, for pictures that are asked for in grey.
#pragma once

#include <cstdint>

namespace ditto::data {

// Red, green and blue in [0, 255], with the weights of ITU-R BT.601 in 256ths.
template <class T>
uint8_t grey_of(const T* rgb) {
  return static_cast<uint8_t>((77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2]) >> 8);
}

}  // namespace ditto::data
