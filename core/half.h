// The 16-bit floats as storage types, converted on both devices by the same code.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/host_device.h"

namespace ditto {

// bfloat16: the upper half of an IEEE float, rounded to nearest even.
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  HD explicit BFloat16(float value) {
    uint32_t word = __builtin_bit_cast(uint32_t, value);
    if (value != value) {
      bits = static_cast<uint16_t>((word >> 16) | 0x40);  // quiet, never rounded into infinity
    } else {
      word += 0x7fff + ((word >> 16) & 1);
      bits = static_cast<uint16_t>(word >> 16);
    }
  }
  HD explicit operator float() const {
    return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
  }
};

// IEEE binary16, rounded to nearest even.
struct Float16 {
  uint16_t bits = 0;
  Float16() = default;
  HD explicit Float16(float value) {
    const uint32_t word = __builtin_bit_cast(uint32_t, value);
    const uint32_t sign = (word >> 16) & 0x8000;
    const float magnitude = std::fabs(value);
    uint32_t rest;
    if (value != value) {
      rest = 0x7e00;
    } else if (magnitude >= 65520.0f) {
      rest = 0x7c00;
    } else if (magnitude < 6.103515625e-05f) {
      // Subnormal: multiples of 2^-24; nearbyint rounds to nearest even.
      rest = static_cast<uint32_t>(std::nearbyint(magnitude * 16777216.0f));
    } else {
      uint32_t m = __builtin_bit_cast(uint32_t, magnitude);
      m += 0xfff + ((m >> 13) & 1);
      rest = (m >> 13) - (112u << 10);
    }
    bits = static_cast<uint16_t>(sign | rest);
  }
  HD explicit operator float() const {
    const uint32_t exponent = (bits >> 10) & 31, fraction = bits & 1023;
    float magnitude;
    if (exponent == 31)
      magnitude = __builtin_bit_cast(float, 0x7f800000u | (fraction ? 0x400000u : 0u));
    else if (exponent == 0)
      magnitude = static_cast<float>(fraction) / 16777216.0f;
    else
      magnitude = __builtin_bit_cast(float, ((exponent + 112) << 23) | (fraction << 13));
    return bits & 0x8000 ? -magnitude : magnitude;
  }
};

}  // namespace ditto
