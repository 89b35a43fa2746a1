// Deterministic pseudo-random values from integers, the same numbers as
// tests/reference/hash_values.py makes with numpy: weights, batches and op inputs of a comparison
// with another framework are computed on both sides instead of being stored. The mixing function
// is the 32-bit finaliser of MurmurHash3 (Appleby, public domain), twice, so that streams of
// neighbouring seeds share nothing.
#pragma once

#include <cstdint>
#include <vector>

namespace ditto::testing {

constexpr uint32_t mix32(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
  x = (x ^ (x >> 13)) * 0xC2B2AE35u;
  return x ^ (x >> 16);
}

constexpr uint32_t hash_bits(uint32_t seed, uint32_t index) {
  return mix32(mix32(index + 1) + seed * 0x9E3779B9u);
}

// In [-1, 1): a multiple of 2^-23, hence exact in f32.
constexpr double hash_value(uint32_t seed, uint32_t index) {
  return static_cast<double>(hash_bits(seed, index) >> 8) * 0x1p-23 - 1.0;
}

// n values in [low, high), rounded to f32. The half width is rounded first, which makes its product
// with a hash value exact in double: a fused multiply-add gives the same bits as two operations.
inline std::vector<float> hash_values(uint32_t seed, int64_t n, double low = -1, double high = 1) {
  const double middle = 0.5 * (low + high), half = static_cast<float>(0.5 * (high - low));
  std::vector<float> values;
  values.reserve(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    values.push_back(
        static_cast<float>(middle + half * hash_value(seed, static_cast<uint32_t>(i))));
  return values;
}

// n labels in [0, classes).
inline std::vector<int64_t> hash_labels(uint32_t seed, int64_t n, int64_t classes) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < n; ++i)
    labels.push_back(hash_bits(seed, static_cast<uint32_t>(i)) % static_cast<uint32_t>(classes));
  return labels;
}

}  // namespace ditto::testing
