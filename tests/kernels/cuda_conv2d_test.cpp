#include "core/on_device.h"
#include "kernels/conv2d.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

#include "kernels/cuda_conv2d.h"
#ifdef DITTO_CUDA_EMULATED
#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/report.h"
#endif

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

struct Case {
  int64_t n, h, w, c, o, kh, kw;
  Conv2dParams p;
  bool bias;
};

const Case kCases[] = {
    {2, 5, 6, 4, 6, 3, 3, {.padding = 1}, true},
    {1, 1, 1, 1, 1, 1, 1, {}, true},
    {3, 9, 8, 5, 3, 3, 3, {.stride = 2, .padding = 1}, false},
    {2, 8, 8, 8, 8, 1, 1, {.stride = 2}, false},
    {2, 7, 9, 6, 4, 3, 2, {.padding = 2, .dilation = 2, .groups = 2}, true},
    {2, 6, 6, 33, 34, 3, 3, {.padding = 1}, true},
    {2, 8, 8, 6, 6, 5, 5, {.stride = 2, .padding = 2, .groups = 6}, false},
    {0, 6, 6, 3, 4, 3, 3, {.padding = 1}, true},
};

struct Arrays {
  Arrays(const Case& c, Dtype dtype)
      : x(random_array({c.n, c.h, c.w, c.c}, dtype, 1)),
        w(random_array({c.o, c.kh, c.kw, c.c / c.p.groups}, dtype, 2)) {
    if (x.bytes.empty()) x.bytes.resize(8);  // an address, also where there is no element
    if (c.bias) bias = random_array({c.o}, dtype, 3);
    Array host_x = x, host_w = w;
    dy = random_array(conv2d_output_shape(host_view(host_x), host_view(host_w), {}, c.p), dtype, 4);
    if (dy.bytes.empty()) dy.bytes.resize(8);
  }
  Array x, w, bias, dy;
};

// All three operations. Sums of k products of normal numbers are about sqrt(k) and differ by a few
// eps of that; cuDNN's algorithm on an H100 by 1.2e-6 of it.
void compare(const Case& c, Dtype dtype) {
  INFO(to_string(dtype) << " x (" << c.n << ", " << c.h << ", " << c.w << ", " << c.c << ") w ("
                        << c.o << ", " << c.kh << ", " << c.kw << ") stride " << c.p.stride
                        << " padding " << c.p.padding << " dilation " << c.p.dilation << " groups "
                        << c.p.groups);
  const Arrays a(c, dtype);
  const double k = std::sqrt(static_cast<double>(c.kh * c.kw * c.c + c.n * c.h * c.w));
  const double tolerance = (dtype == Dtype::F64 ? 1e-15 : 2e-6) * (4 + k);
  // The bias is added to rounded sums, which may be larger than what comes out.
  const double twice_rounded = dtype == Dtype::BF16 && c.bias ? k / 64 : 0;
  expect_same_on_cuda({a.x, a.w, a.bias}, {a.dy}, tolerance + twice_rounded,
                      [&](auto& ctx, const Views& in, const Views& out) {
                        conv2d_forward(ctx, in[0], in[1], in[2], out[0], c.p);
                      });
  expect_same_on_cuda({a.dy, a.w}, {a.x}, tolerance,
                      [&](auto& ctx, const Views& in, const Views& out) {
                        conv2d_backward_data(ctx, in[0], in[1], out[0], c.p);
                      });
  expect_same_on_cuda({a.dy, a.x}, {a.w, a.bias}, tolerance,
                      [&](auto& ctx, const Views& in, const Views& out) {
                        conv2d_backward_weights(ctx, in[0], in[1], out[0], out[1], c.p);
                      });
}

struct Deterministic {
  Deterministic() { set_deterministic(true); }
  ~Deterministic() { set_deterministic(false); }
};

// The emulated cuDNN refuses nothing under seed 0: for tests that expect a certain algorithm.
void without_refusals() {
#ifdef DITTO_CUDA_EMULATED
  emulation::set_seed(0);
#endif
}

}  // namespace

TEST_CASE("conv2d: CUDA as CPU, in f64, f32 and bf16", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  const Deterministic same_bits;
  for (const Case& c : kCases)
    for (const Dtype dtype : {Dtype::F64, Dtype::F32, Dtype::BF16}) compare(c, dtype);
}

TEST_CASE("conv2d: the plain CUDA kernels in f32, for misaligned views", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  without_refusals();
  CudaContext& ctx = cuda_context(0);
  const Case& c = kCases[0];
  const Arrays a(c, Dtype::F32);
  for (int64_t shift : {0, 1}) {
    const OnDevice x(ctx, a.x, shift), w(ctx, a.w, 0), y(ctx, a.dy, 0);
    conv2d_forward(ctx, x.view(), w.view(), {}, y.view(), c.p);
    ctx.synchronize();
    CHECK_THAT(last_conv2d_plan(), contains(shift ? "no multiple of 16" : "cudnn algorithm"));
  }
}

TEST_CASE("conv2d: the workspace limit and determinism decide which algorithms run", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  without_refusals();
  CudaContext& ctx = cuda_context(0);
  const Case& c = kCases[0];
  const Arrays a(c, Dtype::F32);
  const OnDevice x(ctx, a.x, 0), w(ctx, a.w, 0), dy(ctx, a.dy, 0), dw(ctx, a.w, 0);
  const auto gradient = [&] {
    conv2d_backward_weights(ctx, dy.view(), x.view(), dw.view(), {}, c.p);
    ctx.synchronize();
    return last_conv2d_plan();
  };
  const int64_t limit = cudnn_workspace_limit();
  CHECK_THAT(gradient(), contains("cudnn algorithm"));
  set_cudnn_workspace_limit(0);
  const Array expected = dw.read();
#ifdef DITTO_CUDA_EMULATED  // where one algorithm needs a workspace and the other is not
                            // deterministic
  CHECK_THAT(gradient(), contains("cudnn algorithm 0 (refused: 1 needs"));
  const Deterministic same_bits;
  const std::string plan = gradient();
  CHECK_THAT(plan, contains("plain kernels"));
  CHECK_THAT(plan, contains("bytes of workspace"));
  CHECK_THAT(plan, contains("0 not deterministic"));
#endif
  gradient();
  CHECK(difference(expected, dw.read(), 1e-5) == "");
  set_cudnn_workspace_limit(limit);
}

#ifdef DITTO_CUDA_EMULATED

TEST_CASE("conv2d: algorithms that refuse are struck off, down to the plain kernels") {
  const Deterministic same_bits;
  CudaContext& ctx = cuda_context(0);
  int plain = 0, second = 0;
  for (uint64_t seed = 2; seed < 12; ++seed) {
    emulation::set_seed(seed);
    // The width makes every seed's shapes new to the plan cache.
    for (int64_t width : {4, 5, 6}) {
      const Case c{1, 4, width + 4 * static_cast<int64_t>(seed), 3, 4, 3, 3, {.padding = 1}, false};
      const Arrays a(c, Dtype::F32);
      const OnDevice x(ctx, a.x, 0), w(ctx, a.w, 0), y(ctx, a.dy, 0);
      conv2d_forward(ctx, x.view(), w.view(), {}, y.view(), c.p);
      const std::string plan = last_conv2d_plan();
      plain += plan.starts_with("plain kernels");
      second += plan.starts_with("cudnn") && plan.find("not supported") != std::string::npos;
      compare(c, Dtype::F32);
    }
  }
  emulation::set_seed(0);
  CHECK(second > 0);
  CHECK(plain > 0);  // the CUDA kernels agree with the CPU, too
}

TEST_CASE("conv2d: algorithms that are not deterministic differ from run to run, others do not") {
  without_refusals();
  CudaContext& ctx = cuda_context(0);
  const Case c{7, 9, 9, 5, 6, 3, 3, {.padding = 1}, false};
  const Arrays a(c, Dtype::F32);
  const OnDevice x(ctx, a.x, 0), dy(ctx, a.dy, 0), dw(ctx, a.w, 0);
  const int64_t limit = cudnn_workspace_limit();
  set_cudnn_workspace_limit(0);  // leaves algorithm 0
  for (bool deterministic : {false, true}) {
    set_deterministic(deterministic);
    int different = 0;
    std::vector<char> first;
    for (int run = 0; run < 8; ++run) {
      conv2d_backward_weights(ctx, dy.view(), x.view(), dw.view(), {}, c.p);
      const std::vector<char> bytes = dw.read().bytes;
      if (first.empty()) first = bytes;
      different += bytes != first;
    }
    CHECK((different > 0) == !deterministic);
  }
  set_deterministic(false);
  set_cudnn_workspace_limit(limit);
}

TEST_CASE("conv2d: TF32 rounds the inputs where it is allowed") {
  without_refusals();
  CudaContext& ctx = cuda_context(0);
  const Case c{1, 1, 1, 1, 1, 1, 1, {}, false};
  Arrays a(c, Dtype::F32);
  *a.x.data<float>() = 1;
  *a.w.data<float>() = 1 + 1.0f / 4096;
  const OnDevice x(ctx, a.x, 0), w(ctx, a.w, 0), y(ctx, a.dy, 0);
  for (bool allowed : {true, false}) {
    allow_tf32(allowed);
    conv2d_forward(ctx, x.view(), w.view(), {}, y.view(), {});
    CHECK(*y.read().data<float>() == (allowed ? 1 : 1 + 1.0f / 4096));
  }
}

TEST_CASE("conv2d: in steady state nothing is created or ranked") {
  without_refusals();
  CudaContext& ctx = cuda_context(0);
  const Case c{2, 6, 7, 3, 5, 3, 3, {.padding = 1}, false};
  const Arrays a(c, Dtype::F32);
  const OnDevice x(ctx, a.x, 0), w(ctx, a.w, 0), y(ctx, a.dy, 0);
  const auto calls = [] {
    return emulation::call_count("cudnnCreateTensorDescriptor") +
           emulation::call_count("cudnnGetConvolutionForwardAlgorithm_v7") +
           emulation::call_count("cudnnGetConvolutionForwardWorkspaceSize") +
           emulation::call_count("cudaMallocAsync");
  };
  conv2d_forward(ctx, x.view(), w.view(), {}, y.view(), c.p);
  const int before = calls();
  for (int i = 0; i < 3; ++i) conv2d_forward(ctx, x.view(), w.view(), {}, y.view(), c.p);
  CHECK(calls() == before);
  ctx.synchronize();
}

TEST_CASE("conv2d: failures of cuDNN name the operation and the shapes") {
  without_refusals();
  CudaContext& ctx = cuda_context(0);
  const Case c{2, 6, 11, 3, 5, 3, 3, {.padding = 1}, false};
  const Arrays a(c, Dtype::F32);
  const OnDevice x(ctx, a.x, 0), w(ctx, a.w, 0), y(ctx, a.dy, 0);
  const auto forward = [&] { conv2d_forward(ctx, x.view(), w.view(), {}, y.view(), c.p); };
  emulation::fail_call("cudnnGetConvolutionForwardAlgorithm_v7");
  CHECK_THROWS_WITH(forward(), contains("[conv2d] cudnnGetConvolution") &&
                                   contains("CUDNN_STATUS_INTERNAL_ERROR") &&
                                   contains("(2, 6, 11, 3)"));
  emulation::fail_call("cudnnConvolutionForward");
  CHECK_THROWS_WITH(forward(), contains("[conv2d] cudnnConvolutionForward failed") &&
                                   contains("CUDNN_STATUS_EXECUTION_FAILED"));
  forward();  // the next call works
  ctx.synchronize();
}

#endif  // DITTO_CUDA_EMULATED
#endif  // DITTO_HAS_CUDA
