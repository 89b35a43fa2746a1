// Random numbers: the counter-based generator Philox4x32-10.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Key =
// seed; counter = {draw, sample, epoch << 8 | replica, purpose}. A number depends on nothing else:
// not on the thread, the rank, the device, or on what was drawn before for another sample.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "core/host_device.h"

namespace ditto {

// One block: four 32-bit words for a 128-bit counter and a 64-bit key.
struct PhiloxWords {
  uint32_t word[4];
};
HD constexpr PhiloxWords philox(PhiloxWords counter, uint64_t key) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint32_t* c = counter.word;
    const uint64_t a = uint64_t{0xD2511F53} * c[0], b = uint64_t{0xCD9E8D57} * c[2];
    counter = {{static_cast<uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(b),
                static_cast<uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(a)}};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return counter;
}
constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, uint64_t key) {
  const PhiloxWords out = philox({{counter[0], counter[1], counter[2], counter[3]}}, key);
  return {out.word[0], out.word[1], out.word[2], out.word[3]};
}

// What the numbers are for; streams of different purposes never meet.
enum class Purpose : uint32_t { Init, Shuffle, Augment, Mix, Dropout, User, Paste };

// A stream of numbers for one (seed, purpose, sample, epoch, replica).
class Rng {
 public:
  // epoch < 2^24, replica < 256, sample < 2^32.
  explicit Rng(uint64_t seed, Purpose purpose = Purpose::User, uint64_t sample = 0,
               uint64_t epoch = 0, uint64_t replica = 0);

  uint32_t bits();
  // Uniform in [0, 1), 24 bits (float) or 53 bits (double).
  float uniform_float() { return static_cast<float>(bits() >> 8) * 0x1p-24f; }
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // Uniform integer in [0, n), without modulo bias. n >= 1.
  uint64_t below(uint64_t n);
  bool chance(double probability) { return uniform() < probability; }
  // Standard normal (Box-Muller).
  double normal();
  // Gamma(shape, 1), shape > 0 (Marsaglia & Tsang 2000), and Beta(a, b) from two of them.
  double gamma(double shape);
  double beta(double a, double b);
  // Fisher-Yates shuffle.
  template <class T>
  void shuffle(std::span<T> values) {
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  uint64_t key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

// A 64-bit hash of a name (FNV-1a), to key streams by parameter name.
constexpr uint64_t hash_name(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace ditto
