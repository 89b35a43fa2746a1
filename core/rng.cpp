#include "core/rng.h"

#include <cmath>
#include <numbers>

#include "core/error.h"

namespace ditto {

Rng::Rng(uint64_t seed, Purpose purpose, uint64_t sample, uint64_t epoch, uint64_t replica)
    : key_(seed) {
  check(sample <= UINT32_MAX && epoch < (1u << 24) && replica < 256,
        "[rng] sample, epoch or replica out of range:", sample, epoch, replica);
  counter_ = {0, static_cast<uint32_t>(sample), static_cast<uint32_t>(epoch << 8 | replica),
              static_cast<uint32_t>(purpose)};
}

uint32_t Rng::bits() {
  if (used_ == 4) {
    block_ = philox4x32(counter_, key_);
    ++counter_[0];
    check(counter_[0] != 0, "[rng] the stream is exhausted after 2^34 numbers");
    used_ = 0;
  }
  return block_[used_++];
}

double Rng::uniform() {
  const uint64_t high = bits() >> 5, low = bits() >> 6;  // 27 + 26 bits
  return static_cast<double>(high << 26 | low) * 0x1p-53;
}

uint64_t Rng::below(uint64_t n) {
  check(n >= 1, "[rng] below(n) needs n >= 1");
  if (n == 1) return 0;
  const uint64_t limit = UINT64_MAX - UINT64_MAX % n;  // reject the incomplete last interval
  for (;;) {
    // Two statements: the order of evaluation inside one expression is the compiler's choice.
    const uint64_t high = bits(), word = high << 32 | bits();
    if (word < limit) return word % n;
  }
}

double Rng::normal() {
  const double u = 1.0 - uniform();  // (0, 1]: log stays finite
  const double v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

double Rng::gamma(double shape) {
  check(shape > 0, "[rng] gamma needs shape > 0, got", shape);
  if (shape < 1) {
    const double larger = gamma(shape + 1);
    return larger * std::pow(1.0 - uniform(), 1.0 / shape);
  }
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal(), t = 1.0 + c * x;
    if (t <= 0) continue;
    const double v = t * t * t, u = 1.0 - uniform();
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double Rng::beta(double a, double b) {
  const double x = gamma(a), y = gamma(b);
  // Both underflow only for tiny a and b, where the mass sits at 0 and 1.
  return x + y > 0 ? x / (x + y) : (chance(a / (a + b)) ? 1.0 : 0.0);
}

}  // namespace ditto
