#include "core/view.h"
#include "core/on_device.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/context.h"
#include "tests/support/catch.h"

namespace ditto {
namespace {

using testing::contains;

template <class T>
View view_of(std::vector<T>& values, const Shape& shape, const Shape& strides, size_t offset = 0) {
  return {values.data() + offset, dtype_of<T>, kCpu, shape, strides};
}
template <class T>
View view_of(std::vector<T>& values, const Shape& shape) {
  return view_of(values, shape, contiguous_strides(shape));
}

// The value after storing as To.
template <class From, class To>
To stored(From value) {
  To out{};
  copy_view(View{&value, dtype_of<From>, kCpu, {1}, {1}}, View{&out, dtype_of<To>, kCpu, {1}, {1}});
  return out;
}

}  // namespace

TEST_CASE("contiguous means row-major without gaps; strides of size-1 dimensions do not matter") {
  std::vector<float> x(24);
  REQUIRE(view_of(x, {2, 3, 4}).is_contiguous());
  REQUIRE(view_of(x, {}).is_contiguous());
  REQUIRE(view_of(x, {2, 1, 4}, {4, 99, 1}).is_contiguous());
  REQUIRE_FALSE(view_of(x, {2, 3}, {1, 2}).is_contiguous());
  REQUIRE_FALSE(view_of(x, {2, 3}, {4, 1}).is_contiguous());
  REQUIRE_FALSE(view_of(x, {2, 3}, {0, 1}).is_contiguous());
  REQUIRE(view_of(x, {0, 3}).is_contiguous());
}

TEST_CASE("a typed pointer needs the right type") {
  std::vector<float> x(4);
  REQUIRE(view_of(x, {4}).as<float>() == x.data());
  REQUIRE_THROWS_WITH(view_of(x, {4}).as<double>(),
                      contains("[view] dtype is f32 but asked as f64"));
  REQUIRE_FALSE(View{}.defined());
}

TEST_CASE("copies follow strides on both sides") {
  std::vector<int32_t> source(24);
  for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<int32_t>(i);
  // Transposed read of a 4 x 6 matrix.
  std::vector<int32_t> out(24, -1);
  copy_view(view_of(source, {6, 4}, {1, 6}), view_of(out, {6, 4}));
  for (size_t i = 0; i < 6; ++i)
    for (size_t j = 0; j < 4; ++j) REQUIRE(out[4 * i + j] == source[6 * j + i]);
  // A write into every second column leaves the others alone.
  std::vector<int32_t> wide(16, -1);
  copy_view(view_of(source, {4, 2}, {6, 1}), view_of(wide, {4, 2}, {4, 2}, 1));
  REQUIRE(wide == std::vector<int32_t>{-1, 0, -1, 1, -1, 6, -1, 7, -1, 12, -1, 13, -1, 18, -1, 19});
  // Backwards, and one value for all.
  copy_view(view_of(source, {4}, {-1}, 3), view_of(out, {4}));
  REQUIRE(std::vector<int32_t>(out.begin(), out.begin() + 4) == std::vector<int32_t>{3, 2, 1, 0});
  copy_view(view_of(source, {2, 2}, {0, 0}, 5), view_of(out, {2, 2}));
  REQUIRE(std::vector<int32_t>(out.begin(), out.begin() + 4) == std::vector<int32_t>{5, 5, 5, 5});
}

TEST_CASE("a copy large enough for all threads is complete") {
  const int before = num_threads();
  set_num_threads(4);
  std::vector<float> source(1 << 20), same(source.size()), transposed(source.size());
  for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<float>(i);
  copy_view(view_of(source, {1 << 20}), view_of(same, {1 << 20}));
  REQUIRE(same == source);
  copy_view(view_of(source, {1024, 1024}, {1, 1024}), view_of(transposed, {1024, 1024}));
  int wrong = 0;
  for (size_t i = 0; i < 1024; ++i)
    for (size_t j = 0; j < 1024; ++j) wrong += transposed[1024 * i + j] != source[1024 * j + i];
  REQUIRE(wrong == 0);
  set_num_threads(before);
}

TEST_CASE("every dtype converts to every dtype") {
  const Dtype all[] = {Dtype::F32, Dtype::F64, Dtype::BF16, Dtype::F16,
                       Dtype::I32, Dtype::I64, Dtype::U8,   Dtype::Bool};
  for (Dtype from : all)
    for (Dtype to : all) {
      INFO(to_string(from) << " to " << to_string(to));
      std::vector<float> start{0, 1, 2, 100}, end(4);
      std::vector<double> first(4), second(4);  // room for any dtype
      const View a{first.data(), from, kCpu, {4}, {1}}, b{second.data(), to, kCpu, {4}, {1}};
      copy_view(view_of(start, {4}), a);
      copy_view(a, b);
      copy_view(b, view_of(end, {4}));
      const bool is_bool = from == Dtype::Bool || to == Dtype::Bool;
      REQUIRE(end == (is_bool ? std::vector<float>{0, 1, 1, 1} : start));
    }
}

TEST_CASE("conversions truncate, keep signs and test against zero") {
  REQUIRE(stored<float, int32_t>(2.9f) == 2);
  REQUIRE(stored<float, int32_t>(-2.9f) == -2);
  REQUIRE(stored<double, int64_t>(1e15 + 0.5) == int64_t{1'000'000'000'000'000});
  REQUIRE(stored<int64_t, double>(-(int64_t{1} << 53)) == -0x1p53);
  REQUIRE(stored<float, bool>(0.25f) == true);
  REQUIRE(stored<float, bool>(-0.0f) == false);
  REQUIRE(stored<float, bool>(std::numeric_limits<float>::quiet_NaN()) == true);
  REQUIRE(stored<bool, float>(true) == 1.0f);
  REQUIRE(stored<double, float>(1e300) == std::numeric_limits<float>::infinity());
  REQUIRE(stored<float, BFloat16>(1.00390625f).bits == 0x3f80);  // a tie goes to even
  REQUIRE(std::signbit(stored<double, float>(-0.0)));
}

TEST_CASE("a copy between different shapes or from another device is refused") {
  std::vector<float> x(6), y(6);
  REQUIRE_THROWS_WITH(copy_view(view_of(x, {2, 3}), view_of(y, {3, 2})),
                      contains("[copy] shapes differ: (2, 3) and (3, 2)"));
  View far = view_of(x, {6});
  far.device = Device{DeviceType::Cuda, 0};
  if (!kHasCuda)
    REQUIRE_THROWS_WITH(copy_view(far, view_of(y, {6})),
                        contains("[copy] this build has no CUDA support: cuda:0 cpu"));
}

}  // namespace ditto
