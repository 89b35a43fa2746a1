#include "core/dtype.h"

#include <cmath>

namespace ditto {

BFloat16::BFloat16(float value) {
  uint32_t word = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) {
    bits = static_cast<uint16_t>((word >> 16) | 0x40);  // quiet, never rounded into infinity
  } else {
    word += 0x7fff + ((word >> 16) & 1);
    bits = static_cast<uint16_t>(word >> 16);
  }
}

Float16::Float16(float value) {
  const uint32_t word = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((word >> 16) & 0x8000);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) {
    bits = sign | 0x7e00;
  } else if (magnitude >= 65520.0f) {
    bits = sign | 0x7c00;
  } else if (magnitude < 6.103515625e-05f) {
    // Subnormal: multiples of 2^-24; nearbyint rounds to nearest even.
    bits = sign | static_cast<uint16_t>(std::nearbyint(magnitude * 16777216.0f));
  } else {
    uint32_t m = std::bit_cast<uint32_t>(magnitude);
    m += 0xfff + ((m >> 13) & 1);
    bits = sign | static_cast<uint16_t>((m >> 13) - (112u << 10));
  }
}

Float16::operator float() const {
  const uint32_t exponent = (bits >> 10) & 31, fraction = bits & 1023;
  float magnitude;
  if (exponent == 31)
    magnitude = fraction ? NAN : INFINITY;
  else if (exponent == 0)
    magnitude = static_cast<float>(fraction) / 16777216.0f;
  else
    magnitude = std::bit_cast<float>(((exponent + 112) << 23) | (fraction << 13));
  return bits & 0x8000 ? -magnitude : magnitude;
}

std::string to_string(Dtype dtype) {
  switch (dtype) {
    case Dtype::F32:
      return "f32";
    case Dtype::F64:
      return "f64";
    case Dtype::BF16:
      return "bf16";
    case Dtype::F16:
      return "f16";
    case Dtype::I32:
      return "i32";
    case Dtype::I64:
      return "i64";
    case Dtype::U8:
      return "u8";
    case Dtype::Bool:
      return "bool";
  }
  return "?";
}

}  // namespace ditto
