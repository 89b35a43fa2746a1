#include "core/dtype.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/catch.h"

namespace ditto {
namespace {

using testing::contains;

// The value of a bit pattern of a 16-bit float with `fraction_bits`, from the definition of the
// format.
double value_of(uint16_t bits, int fraction_bits) {
  const int exponent_bits = 15 - fraction_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1)
    return fraction ? std::numeric_limits<double>::quiet_NaN()
                    : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

// Checks every one of the 65,536 patterns in both directions, and the rounding between all
// neighbours. Counts failures: 65,536 REQUIREs would be slow.
template <class Half>
void check_all(int fraction_bits) {
  int wrong_value = 0, wrong_back = 0, wrong_rounding = 0, nans = 0;
  Half half;
  for (uint32_t pattern = 0; pattern < 65536; ++pattern) {
    half.bits = static_cast<uint16_t>(pattern);
    const float value = static_cast<float>(half);
    const double expected = value_of(half.bits, fraction_bits);
    if (std::isnan(expected)) {
      ++nans;
      wrong_value += !std::isnan(value);
      wrong_back += !std::isnan(static_cast<float>(Half(value)));
      continue;
    }
    wrong_value += value != expected || std::signbit(value) != (pattern >= 0x8000);
    wrong_back += Half(value).bits != pattern;
  }
  // Between neighbours a < b of the same sign: below the middle to a, above to b, the middle itself
  // to the one with an even pattern. The step behind the largest finite number leads to infinity.
  const int infinity = ((1 << (15 - fraction_bits)) - 1) << fraction_bits;
  for (int sign : {0, 0x8000})
    for (int pattern = 0; pattern < infinity; ++pattern) {
      const double a = value_of(static_cast<uint16_t>(sign | pattern), fraction_bits);
      double b = value_of(static_cast<uint16_t>(sign | (pattern + 1)), fraction_bits);
      // Infinity rounds as if it were the next number.
      if (std::isinf(b))
        b = a + (a - value_of(static_cast<uint16_t>(sign | (pattern - 1)), fraction_bits));
      const float middle = static_cast<float>((a + b) / 2);
      const float towards_a = std::nextafter(middle, static_cast<float>(a));
      const float towards_b = std::nextafter(middle, sign ? -INFINITY : INFINITY);
      const int even = pattern % 2 ? pattern + 1 : pattern;
      wrong_rounding += Half(middle).bits != (sign | even);
      wrong_rounding += Half(towards_a).bits != (sign | pattern);
      wrong_rounding += Half(towards_b).bits != (sign | (pattern + 1));
    }
  REQUIRE(nans == 2 * ((1 << fraction_bits) - 1));
  REQUIRE(wrong_value == 0);
  REQUIRE(wrong_back == 0);
  REQUIRE(wrong_rounding == 0);
}

}  // namespace

TEST_CASE("bfloat16 converts exactly and rounds to nearest even, for all patterns") {
  check_all<BFloat16>(7);
}

TEST_CASE("binary16 converts exactly and rounds to nearest even, for all patterns") {
  check_all<Float16>(10);
}

TEST_CASE("the 16-bit floats overflow to infinity and keep NaN") {
  const float inf = std::numeric_limits<float>::infinity();
  REQUIRE(static_cast<float>(Float16(1e10f)) == inf);
  REQUIRE(static_cast<float>(Float16(-1e10f)) == -inf);
  REQUIRE(static_cast<float>(Float16(65519.0f)) == 65504.0f);
  REQUIRE(static_cast<float>(Float16(1e-10f)) == 0.0f);
  REQUIRE(static_cast<float>(BFloat16(std::numeric_limits<float>::max())) == inf);
  // A NaN whose payload sits in the lower half alone must not turn into infinity.
  const float low_nan = std::bit_cast<float>(uint32_t{0x7f800001});
  REQUIRE(std::isnan(static_cast<float>(BFloat16(low_nan))));
  REQUIRE(std::isnan(static_cast<float>(Float16(low_nan))));
}

TEST_CASE("dtypes have sizes and names") {
  const std::vector<std::pair<Dtype, std::string>> names = {
      {Dtype::F32, "f32"}, {Dtype::F64, "f64"}, {Dtype::BF16, "bf16"}, {Dtype::F16, "f16"},
      {Dtype::I32, "i32"}, {Dtype::I64, "i64"}, {Dtype::U8, "u8"},     {Dtype::Bool, "bool"}};
  for (const auto& [dtype, name] : names) {
    REQUIRE(to_string(dtype) == name);
    REQUIRE(on_any(dtype, [](auto value) { return sizeof(value); }) ==
            static_cast<size_t>(size_of(dtype)));
    REQUIRE(on_any(dtype, [](auto value) { return dtype_of<decltype(value)>; }) == dtype);
    REQUIRE(is_floating(dtype) ==
            (dtype == Dtype::F32 || dtype == Dtype::F64 || dtype == Dtype::BF16));
  }
}

TEST_CASE("on_float picks the type or names the op that cannot") {
  REQUIRE(on_float(Dtype::F32, "op", [](auto value) { return sizeof(value); }) == 4);
  REQUIRE(on_float(Dtype::F64, "op", [](auto value) { return sizeof(value); }) == 8);
  for (Dtype dtype : {Dtype::BF16, Dtype::F16, Dtype::I32, Dtype::I64, Dtype::U8, Dtype::Bool})
    REQUIRE_THROWS_WITH(on_float(dtype, "softmax", [](auto) {}),
                        contains("[softmax] needs dtype f32 or f64, got " + to_string(dtype)));
}

}  // namespace ditto
