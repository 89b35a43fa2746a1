// Tensors on a CUDA device hold, copy, convert and fill what they do on the CPU.
#include "core/on_device.h"
#include "core/tensor.h"

#include "core/serialize.h"
#include "kernels/random.h"
#include "tests/support/cuda.h"
#include "tests/support/temp_dir.h"

namespace ditto {
namespace {

using testing::contains;
using testing::kCuda;

constexpr Dtype kDtypes[] = {Dtype::F32, Dtype::F64, Dtype::BF16, Dtype::F16,
                             Dtype::I32, Dtype::I64, Dtype::U8,   Dtype::Bool};

// 0, 1, 2, ... with a fraction where the dtype has one; small enough for u8.
Tensor numbers(const Shape& shape, Dtype dtype) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<double>(i % 101) + (is_floating(dtype) ? 0.3 : 0);
  return Tensor::from(values, shape, dtype);
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         a.to_vector<double>() == b.to_vector<double>();
}

// A view of x with its dimensions in reverse order.
Tensor reversed(const Tensor& x) {
  Shape shape, strides;
  for (int i = x.rank() - 1; i >= 0; --i) {
    shape.push_back(x.shape()[i]);
    strides.push_back(x.strides()[i]);
  }
  return x.alias(shape, strides, x.offset());
}

}  // namespace

TEST_CASE("cuda tensor: to the device and back keeps every element", "[gpu]") {
  DITTO_NEEDS_CUDA();
  for (Dtype dtype : kDtypes)
    for (const Shape& shape :
         {Shape{}, Shape{0}, Shape{1}, Shape{33}, Shape{5, 0, 2}, Shape{7, 3, 41}}) {
      INFO(to_string(dtype) << to_string(shape));
      const Tensor host = numbers(shape, dtype), there = host.to(kCuda);
      CHECK(there.device() == kCuda);
      CHECK(same(there, host));
      CHECK(same(there.to(kCpu), host));
      CHECK(same(there.clone(), host));
    }
}

TEST_CASE("cuda tensor: conversions equal those of the CPU, for any strides", "[gpu]") {
  DITTO_NEEDS_CUDA();
  for (Dtype from : kDtypes) {
    const Tensor host = numbers({3, 4, 17}, from), there = host.to(kCuda);
    for (Dtype to : kDtypes) {
      INFO(to_string(from) << " to " << to_string(to));
      CHECK(same(there.to(to), host.to(to)));
      CHECK(same(reversed(there).contiguous(), reversed(host).contiguous()));
      // Between the devices with a conversion and strides on both sides.
      Tensor up = Tensor::zeros({3, 4, 17}, to, kCuda), down = Tensor::zeros({3, 4, 17}, to);
      reversed(up).copy_(reversed(host));
      CHECK(same(up, host.to(to)));
      reversed(down).copy_(reversed(there));
      CHECK(same(down, host.to(to)));
    }
  }
}

TEST_CASE("cuda tensor: bf16 and f16 round on the device as on the CPU", "[gpu]") {
  DITTO_NEEDS_CUDA();
  std::vector<float> values = {0.f,     -0.f,     1.f,       65504.f,     65519.9f,
                               65520.f, 1e-8f,    5.97e-8f,  6.1e-5f,     1e30f,
                               3.4e38f, INFINITY, -INFINITY, 1.00390625f, 1.01171875f};
  for (int i = 0; i < 1000; ++i)
    values.push_back(std::ldexp(1.f + static_cast<float>(i) / 977, i % 60 - 30));
  const Tensor host = Tensor::from(values, {static_cast<int64_t>(values.size())});
  for (Dtype half : {Dtype::BF16, Dtype::F16}) CHECK(same(host.to(kCuda).to(half), host.to(half)));
  const Tensor nan = Tensor::full({3}, NAN, Dtype::F32, kCuda);
  for (Dtype half : {Dtype::BF16, Dtype::F16})
    CHECK(std::isnan(nan.to(half).to_vector<float>()[2]));
}

TEST_CASE("cuda tensor: fill_ and copy_ in parts of a tensor leave the rest alone", "[gpu]") {
  DITTO_NEEDS_CUDA();
  for (Dtype dtype : kDtypes)
    for (int64_t n : {1, 15, 16, 31, 33, 257, 1025}) {
      INFO(to_string(dtype) << " " << n);
      const Tensor all = Tensor::full({n + 2}, 1, dtype, kCuda);
      Tensor inner = all.alias({n}, {1}, 1), other = Tensor::zeros({n}, dtype, kCuda);
      inner.fill_(0);
      auto expected = std::vector<double>(static_cast<size_t>(n + 2), 0);
      expected.front() = expected.back() = 1;
      CHECK(all.to_vector<double>() == expected);
      other.fill_(1);
      inner.copy_(other);
      CHECK(all.to_vector<double>() == std::vector<double>(static_cast<size_t>(n + 2), 1));
      // Every second element.
      Tensor odd = all.alias({(n + 2) / 2}, {2}, 1);
      odd.fill_(0);
      for (size_t i = 0; i < expected.size(); ++i) expected[i] = i % 2 == 0;
      CHECK(all.to_vector<double>() == expected);
    }
  CHECK(Tensor::full({5}, -0.0, Dtype::F64, kCuda).to_vector<double>()[4] == 0);
  CHECK(std::signbit(Tensor::full({5}, -0.0, Dtype::F64, kCuda).to_vector<double>()[4]));
}

TEST_CASE("cuda tensor: item, data and errors", "[gpu]") {
  DITTO_NEEDS_CUDA();
  CHECK(Tensor::scalar(2.5, Dtype::F32, kCuda).item() == 2.5);
  CHECK(Tensor::scalar(7, Dtype::I64, kCuda).item() == 7);
  const Tensor x = Tensor::ones({3}, Dtype::F32, kCuda);
  CHECK_THROWS_WITH(x.data<float>(), contains("cuda:0"));
  CHECK_THROWS_WITH(x.item(), contains("one element"));
  CHECK_THROWS_WITH(Tensor::ones({2}, Dtype::F32, {DeviceType::Cuda, 77}), contains("cuda:77"));
  Tensor wrong = Tensor::ones({4}, Dtype::F32, kCuda);
  CHECK_THROWS_WITH(wrong.copy_(x), contains("shapes differ"));
  CHECK(to_string(x) == "f32 (3) cuda:0");
}

TEST_CASE("cuda tensor: random fills are the CPU's numbers", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const kernels::RandomStream stream{.seed = 7, .purpose = Purpose::Init, .sample = 3, .epoch = 2};
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (int64_t n : {1, 2, 3, 4, 5, 1023, 4097})
      for (int64_t skip : {0, 1}) {  // an odd address has no access of 16 bytes
        INFO(to_string(dtype) << " " << n << " from " << skip);
        const auto fill = [&](Device device, int what) {
          const Tensor all = Tensor::zeros({n + skip}, dtype, device);
          const View y = all.alias({n}, {1}, skip).view();
          on_device(device, [&](auto& ctx) {
            if (what == 0) kernels::fill_uniform(ctx, stream, -2, 3, y);
            if (what == 1) kernels::fill_normal(ctx, stream, 1, 2, y);
            if (what == 2) kernels::fill_dropout_mask(ctx, stream, 0.3, y);
          });
          return all.to_vector<double>();
        };
        CHECK(fill(kCuda, 2) == fill(kCpu, 2));
        // The compiler may fuse the last product and sum.
        const double close = dtype == Dtype::F64 ? 1e-14 : 1e-6;
        for (int what : {0, 1}) {
          const auto a = fill(kCuda, what), b = fill(kCpu, what);
          for (size_t i = 0; i < a.size(); ++i) CHECK(std::fabs(a[i] - b[i]) <= close);
        }
      }
}

TEST_CASE("cuda tensor: files do not know where a tensor was", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const testing::TempDir folder;
  const Tensor x = numbers({5, 7}, Dtype::F32);
  save_safetensors(folder / "x.safetensors", {{"x", x.to(kCuda)}});
  CHECK(same(load_safetensors(folder / "x.safetensors").tensors.at("x"), x));
}

}  // namespace ditto
