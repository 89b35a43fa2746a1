#include "core/tensor.h"
#include "core/on_device.h"

#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/support/catch.h"

namespace ditto {
namespace {

using testing::contains;
using Floats = std::vector<float>;

Tensor counting(const Shape& shape, Dtype dtype = Dtype::F32) {
  return Tensor::arange(shape.numel(), dtype).alias(shape, contiguous_strides(shape), 0);
}

const Tensor kUndefined;

}  // namespace

TEST_CASE("a default tensor is undefined and says so") {
  REQUIRE_FALSE(kUndefined.defined());
  REQUIRE(to_string(kUndefined) == "undefined");
  REQUIRE(kUndefined.device() == kCpu);
  REQUIRE_FALSE(kUndefined.view().defined());
  REQUIRE_FALSE(kUndefined.clone().defined());
  REQUIRE_FALSE(kUndefined.contiguous().defined());
  REQUIRE_FALSE(kUndefined.to(Dtype::F64).defined());
  REQUIRE_THROWS_WITH(kUndefined.data<float>(), contains("[data] the tensor is undefined"));
  REQUIRE_THROWS_WITH(kUndefined.item(), contains("[item] needs a tensor with one element"));
  REQUIRE_THROWS_WITH(kUndefined.to_vector<float>(),
                      contains("[to_vector] the tensor is undefined"));
  REQUIRE_THROWS_WITH(kUndefined.alias({}, {}, 0), contains("[alias] the tensor is undefined"));
  REQUIRE_THROWS_WITH(Tensor().fill_(1), contains("[fill_] the tensor is undefined"));
  REQUIRE_THROWS_WITH(Tensor().copy_(Tensor::ones({1})),
                      contains("[copy_] the tensor is undefined"));
  REQUIRE_THROWS_WITH(Tensor::ones({1}).copy_(Tensor()),
                      contains("[copy_] the source is undefined"));
}

TEST_CASE("new tensors have the asked shape, dtype and values") {
  const Tensor zeros = Tensor::zeros({2, 3});
  REQUIRE(zeros.shape() == Shape{2, 3});
  REQUIRE(zeros.strides() == Shape{3, 1});
  REQUIRE(zeros.dtype() == Dtype::F32);
  REQUIRE(zeros.rank() == 2);
  REQUIRE(zeros.dim(-1) == 3);
  REQUIRE(zeros.numel() == 6);
  REQUIRE(zeros.is_contiguous());
  REQUIRE(to_string(zeros) == "f32 (2, 3) cpu");
  REQUIRE(zeros.to_vector<float>() == Floats(6, 0));
  REQUIRE(Tensor::ones({2}, Dtype::BF16).to_vector<float>() == Floats{1, 1});
  REQUIRE(Tensor::full({2}, -2.5, Dtype::F64).to_vector<double>() ==
          std::vector<double>{-2.5, -2.5});
  REQUIRE(Tensor::full({3}, 7, Dtype::U8).to_vector<uint8_t>() == std::vector<uint8_t>{7, 7, 7});
  REQUIRE(Tensor::scalar(4).shape() == Shape{});
  REQUIRE(Tensor::scalar(4).item() == 4);
  REQUIRE(Tensor::arange(4).to_vector<int64_t>() == std::vector<int64_t>{0, 1, 2, 3});
  REQUIRE(Tensor::arange(0).numel() == 0);
  REQUIRE(Tensor::arange(-3).numel() == 0);
  REQUIRE(Tensor::zeros({0, 5}).to_vector<float>().empty());
}

TEST_CASE("minus zero fills with its sign") {
  REQUIRE(std::signbit(Tensor::full({1}, -0.0).item()));
}

TEST_CASE("from copies values and converts them") {
  Floats values{1, 2, 3, 4};
  const Tensor x = Tensor::from(values, {2, 2});
  values[0] = 9;
  REQUIRE(x.to_vector<float>() == Floats{1, 2, 3, 4});
  REQUIRE(Tensor::from<float>({1.5f, -2.5f}, {2}, Dtype::I32).to_vector<int32_t>() ==
          std::vector<int32_t>{1, -2});
  REQUIRE_THROWS_WITH(Tensor::from<float>({1, 2, 3}, {2, 2}),
                      contains("[from] got 3 values for shape (2, 2)"));
}

TEST_CASE("impossible shapes are errors") {
  REQUIRE_THROWS_WITH(Tensor::empty({2, -1}), contains("[empty] negative size in shape (2, -1)"));
  const int64_t big = int64_t{1} << 40;
  REQUIRE_THROWS_WITH(Tensor::empty({big, big}), contains("[empty] shape is too large:"));
  REQUIRE_THROWS_WITH(Tensor::empty({0, big, big}), contains("[empty] shape is too large:"));
  REQUIRE_THROWS_WITH(Tensor::empty({big, 1 << 14}), contains("[storage] out of memory"));
  if (!kHasCuda)
    REQUIRE_THROWS_WITH(Tensor::empty({2}, Dtype::F32, Device{DeviceType::Cuda, 0}),
                        contains("no CUDA support: cuda:0"));
  if (!kHasCuda)
    REQUIRE_THROWS_WITH(Tensor::ones({2}).to(Device{DeviceType::Cuda, 0}),
                        contains("this build has no CUDA support: cuda:0"));
}

TEST_CASE("copying a tensor copies the handle") {
  const Tensor a = Tensor::zeros({3});
  Tensor b = a;
  b.fill_(5);
  REQUIRE(a.to_vector<float>() == Floats{5, 5, 5});
  Tensor c = a.clone();
  c.fill_(1);
  REQUIRE(a.to_vector<float>() == Floats{5, 5, 5});
  REQUIRE(c.storage() != a.storage());
}

TEST_CASE("typed access checks dtype and contiguity") {
  const Tensor x = counting({2, 3});
  REQUIRE(x.data<float>()[5] == 5);
  REQUIRE_THROWS_WITH(x.data<double>(), contains("[view] dtype is f32 but asked as f64"));
  const Tensor transposed = x.alias({3, 2}, {1, 3}, 0);
  REQUIRE_THROWS_WITH(transposed.data<float>(),
                      contains("[data] the tensor is not contiguous: (3, 2) strides (1, 3)"));
  REQUIRE_THROWS_WITH(x.item(),
                      contains("[item] needs a tensor with one element, got f32 (2, 3) cpu"));
}

TEST_CASE("an alias sees the same elements") {
  Tensor x = counting({2, 3});
  const Tensor transposed = x.alias({3, 2}, {1, 3}, 0);
  REQUIRE(transposed.to_vector<float>() == Floats{0, 3, 1, 4, 2, 5});
  REQUIRE_FALSE(transposed.is_contiguous());
  const Tensor row = x.alias({3}, {1}, 3);
  REQUIRE(row.to_vector<float>() == Floats{3, 4, 5});
  REQUIRE(row.offset() == 3);
  REQUIRE(row.alias({2}, {1}, 4).to_vector<float>() == Floats{4, 5});  // offsets do not add up
  const Tensor backwards = x.alias({6}, {-1}, 5);
  REQUIRE(backwards.to_vector<float>() == Floats{5, 4, 3, 2, 1, 0});
  REQUIRE(x.alias({2, 2}, {0, 1}, 1).to_vector<float>() == Floats{1, 2, 1, 2});
  x.fill_(8);
  REQUIRE(backwards.to_vector<float>() == Floats(6, 8));
}

TEST_CASE("an alias cannot reach outside the storage") {
  const Tensor x = counting({2, 3});
  const std::string outside = "[alias] reaches outside the storage";
  REQUIRE_NOTHROW(x.alias({6}, {1}, 0));
  REQUIRE_THROWS_WITH(x.alias({7}, {1}, 0), contains(outside));
  REQUIRE_THROWS_WITH(x.alias({6}, {1}, 1), contains(outside));
  REQUIRE_THROWS_WITH(x.alias({6}, {-1}, 4), contains(outside));
  REQUIRE_THROWS_WITH(x.alias({1}, {1}, 6), contains(outside));
  REQUIRE_THROWS_WITH(x.alias({1}, {1}, -1), contains(outside));
  REQUIRE_THROWS_WITH(x.alias({2, 3}, {4, 1}, 0), contains(outside));
  REQUIRE_NOTHROW(x.alias({0}, {1}, 6));
  REQUIRE_NOTHROW(x.alias({0, 9}, {9, 1}, 0));
  REQUIRE_THROWS_WITH(x.alias({0}, {1}, 7), contains(outside));
  REQUIRE_THROWS_WITH(x.alias({2, 3}, {1}, 0),
                      contains("[alias] shape and strides differ in rank"));
  REQUIRE_THROWS_WITH(x.alias({-1}, {1}, 0), contains("[alias] negative size in shape (-1)"));
  // Numbers that would overflow on the way.
  const int64_t huge = int64_t{1} << 62;
  REQUIRE_THROWS_WITH(x.alias({5}, {huge}, 0), contains(outside));
  REQUIRE_THROWS_WITH(x.alias({2, 2}, {huge, huge}, 0), contains(outside));
  REQUIRE_THROWS_WITH(x.alias({2}, {1}, std::numeric_limits<int64_t>::max()), contains(outside));
  REQUIRE_THROWS_WITH(x.alias({huge, huge}, {0, 0}, 0), contains(outside));
}

TEST_CASE("contiguous, to and clone copy only what they must") {
  const Tensor x = counting({2, 3});
  REQUIRE(x.contiguous().storage() == x.storage());
  REQUIRE(x.to(Dtype::F32).storage() == x.storage());
  REQUIRE(x.to(kCpu).storage() == x.storage());
  const Tensor transposed = x.alias({3, 2}, {1, 3}, 0);
  const Tensor packed = transposed.contiguous();
  REQUIRE(packed.storage() != x.storage());
  REQUIRE(packed.is_contiguous());
  REQUIRE(packed.to_vector<float>() == transposed.to_vector<float>());
  const Tensor wide = transposed.to(Dtype::F64);
  REQUIRE(wide.dtype() == Dtype::F64);
  REQUIRE(wide.to_vector<double>() == std::vector<double>{0, 3, 1, 4, 2, 5});
  REQUIRE(x.to(Dtype::Bool).to_vector<uint8_t>() == std::vector<uint8_t>{0, 1, 1, 1, 1, 1});
}

TEST_CASE("writes in place follow strides, convert dtypes and count as versions") {
  Tensor x = Tensor::zeros({2, 3});
  const uint32_t version = x.storage()->version();
  Tensor column = x.alias({2}, {3}, 1);
  column.fill_(7);
  REQUIRE(x.to_vector<float>() == Floats{0, 7, 0, 0, 7, 0});
  REQUIRE(x.storage()->version() == version + 1);
  column.copy_(Tensor::from<double>({1.5, 2.5}, {2}));
  REQUIRE(x.to_vector<float>() == Floats{0, 1.5f, 0, 0, 2.5f, 0});
  REQUIRE(x.storage()->version() == version + 2);
  x.alias({2, 2}, {3, 1}, 0).fill_(0);  // zero has a fast path, for contiguous tensors alone
  REQUIRE(x.to_vector<float>() == Floats{0, 0, 0, 0, 0, 0});
  REQUIRE_THROWS_WITH(x.copy_(Tensor::zeros({3, 2})),
                      contains("[copy] shapes differ: (3, 2) and (2, 3)"));
}

TEST_CASE("zeroing a strided tensor leaves its neighbours alone") {
  Tensor x = Tensor::ones({2, 3});
  x.alias({2}, {3}, 0).fill_(0);
  REQUIRE(x.to_vector<float>() == Floats{0, 1, 1, 0, 1, 1});
}

TEST_CASE("members that copy refuse tensors that carry gradients") {
  Tensor x = Tensor::ones({2, 2});
  x.set_requires_grad(true);
  REQUIRE(x.requires_grad());
  REQUIRE_THROWS_WITH(x.clone(), contains("[clone] the tensor carries gradients"));
  REQUIRE_THROWS_WITH(x.to(Dtype::F64), contains("[to] the tensor carries gradients"));
  REQUIRE(x.contiguous().requires_grad());  // itself: nothing is copied, nothing is lost
  const Tensor copy = x.detach().clone();
  REQUIRE_FALSE(copy.requires_grad());
  REQUIRE(x.detach().storage() == x.storage());
  REQUIRE_FALSE(x.detach().requires_grad());
  REQUIRE_FALSE(x.alias({4}, {1}, 0).requires_grad());
  // A leaf may be written (initialisers, optimizers), the output of an operation may not.
  REQUIRE_NOTHROW(x.fill_(2));
  Tensor y = x * x;
  REQUIRE_THROWS_WITH(y.fill_(0),
                      contains("[fill_] the tensor is the output of a recorded operation"));
  REQUIRE_THROWS_WITH(y.copy_(copy),
                      contains("[copy_] the tensor is the output of a recorded operation"));
}

}  // namespace ditto
