// Convolutions on CUDA: cuDNN for f32 and bf16 (summed in f32), our plain kernels (conv2d.cu) for
// f64 and for what cuDNN refuses.
//
// Uses cuDNN's convolution calls of version 7 and not its graph API: they are deprecated but
// present in 9.19, cover forward and both gradients over NHWC f32, and need descriptors that a test
// double can check completely. Everything about them is here and in cuda_conv2d_cudnn.h. cuDNN's
// heuristics rank the algorithms once per shape; the ranked list is kept, descriptors with it, and
// an algorithm that turns out not to be supported is struck off and the next one tried. Tried and
// left: ranking them by the clock, which on an H100 gave slower CUDA graphs (docs/cuda.md).
#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/binary_math.h"
#include "kernels/compute_type.h"
#include "kernels/cuda_conv2d.h"
#include "kernels/cuda_conv2d_cudnn.h"
#include "kernels/elementwise.h"
#include "kernels/lru_cache.h"
#include "kernels/reduce.h"

namespace ditto::kernels {
namespace {

std::atomic<int64_t>& workspace_limit() {
  static std::atomic<int64_t> limit{[] {
    const char* variable = std::getenv("DITTO_CUDNN_WORKSPACE");
    int64_t bytes = int64_t{256} << 20;
    if (!variable || !*variable) return bytes;
    const std::string_view text = variable;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    check(error == std::errc() && end == text.data() + text.size() && bytes >= 0,
          "[conv2d] DITTO_CUDNN_WORKSPACE must be a number of bytes, got", text);
    return bytes;
  }()};
  return limit;
}

struct Key {
  Conv2dShape shape;
  int64_t operation, device, bf16, tf32, deterministic, workspace;
  friend bool operator==(const Key&, const Key&) = default;
};

struct Candidate {
  int algorithm;
  cudnnMathType_t math;
  size_t workspace;
};
// What is left to try, best first; `refused` tells of the others.
struct Plan {
  std::unique_ptr<Descriptors> descriptors;
  std::vector<Candidate> candidates;
  std::string refused;
  bool told = false;

  void refuse(int algorithm, const std::string& why) {
    refused += (refused.empty() ? "" : ", ") + std::to_string(algorithm) + " " + why;
  }
};

thread_local std::string last_plan;

// cuDNN 9 has a dozen statuses of this kind, which say why.
bool not_supported(cudnnStatus_t status) {
  return CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED;
}

template <class Operation>
Plan prepare(CudaContext& ctx, const Key& key) {
  Plan plan;
  const Conv2dShape& s = key.shape;
  // cuDNN counts elements in 32 bits here.
  constexpr int64_t kMost = INT32_MAX;
  if (s.n * s.h * s.w * s.c > kMost || s.n * s.oh * s.ow * s.o > kMost || s.weights() > kMost) {
    plan.refused = "all: more than 2^31 elements";
    return plan;
  }
  plan.descriptors = std::make_unique<Descriptors>(s, key.bf16 != 0, key.tf32 != 0);
  typename Operation::Perf ranked[2 * Operation::kCount];
  int count = 0;
  const cudnnStatus_t status =
      Operation::rank(ctx.cudnn(), *plan.descriptors, 2 * Operation::kCount, &count, ranked);
  if (not_supported(status)) {
    plan.refused = "all: not supported";
    return plan;
  }
  cudnn_check(status, "cudnnGetConvolution...Algorithm_v7", s);
  for (int i = 0; i < count; ++i) {
    const auto& perf = ranked[i];
    const int algorithm = static_cast<int>(perf.algo);
    if (perf.status != CUDNN_STATUS_SUCCESS) continue;
    if (key.deterministic != 0 && perf.determinism != CUDNN_DETERMINISTIC) {
      plan.refuse(algorithm, "not deterministic");
      continue;
    }
    // The size is asked for again: the ranking's is an estimate.
    const cudnnMathType_t math = key.bf16 != 0 || key.tf32 != 0 ? perf.mathType : CUDNN_FMA_MATH;
    cudnn_check(cudnnSetConvolutionMathType(plan.descriptors->convolution(), math),
                "cudnnSetConvolutionMathType", s);
    size_t bytes = 0;
    if (Operation::workspace(ctx.cudnn(), *plan.descriptors, algorithm, &bytes) !=
        CUDNN_STATUS_SUCCESS) {
      plan.refuse(algorithm, "not supported");
      continue;
    }
    if (static_cast<int64_t>(bytes) > key.workspace) {
      plan.refuse(algorithm, "needs " + std::to_string(bytes) + " bytes of workspace");
      continue;
    }
    plan.candidates.push_back({algorithm, math, bytes});
  }
  if (plan.candidates.empty() && plan.refused.empty()) plan.refused = "all: none was offered";
  return plan;
}

template <class Operation>
cudnnStatus_t run_candidate(CudaContext& ctx, const Plan& plan, const Candidate& candidate,
                            const Conv2dShape& s, const void* first, const void* second,
                            void* out) {
  cudnn_check(cudnnSetConvolutionMathType(plan.descriptors->convolution(), candidate.math),
              "cudnnSetConvolutionMathType", s);
  const auto bytes = static_cast<int64_t>(candidate.workspace);
  return Operation::run(ctx.cudnn(), *plan.descriptors, candidate.algorithm, first, second, out,
                        bytes > 0 ? ctx.workspace(bytes) : nullptr, candidate.workspace);
}

// Enough for the passes of a deep DenseNet, whose every layer has its own shape.
constexpr size_t kCacheCapacity = 512;

// True when cuDNN computed it; false when the plain kernels have to.
template <class Operation, class T>
bool run_cudnn(CudaContext& ctx, const Conv2dShape& s, const T* first, const T* second, T* out) {
  // cuDNN reads and writes 16 bytes at a time; a view may begin anywhere.
  for (const T* pointer : {first, second, static_cast<const T*>(out)})
    if (reinterpret_cast<uintptr_t>(pointer) % 16 != 0) {
      last_plan = "plain kernels (refused: all: an address is no multiple of 16)";
      return false;
    }
  thread_local LruCache<Key, Plan> cache(kCacheCapacity);
  constexpr bool kBf16 = std::is_same_v<T, BFloat16>;
  const Key key{s,
                Operation::kNumber,
                ctx.index(),
                kBf16,
                !kBf16 && tf32_allowed(),
                deterministic(),
                cudnn_workspace_limit()};
  Plan& plan = cache.get(key, [&] { return prepare<Operation>(ctx, key); });
  const auto run = [&](const Candidate& candidate) {
    return run_candidate<Operation>(ctx, plan, candidate, s, first, second, out);
  };
  while (!plan.candidates.empty()) {
    const Candidate best = plan.candidates.front();
    const cudnnStatus_t status = run(best);
    if (status == CUDNN_STATUS_SUCCESS) {
      last_plan = "cudnn algorithm " + std::to_string(best.algorithm) +
                  (plan.refused.empty() ? "" : " (refused: " + plan.refused + ")");
      return true;
    }
    if (!not_supported(status)) cudnn_check(status, Operation::kCall, s);
    plan.refuse(best.algorithm, "not supported");
    plan.candidates.erase(plan.candidates.begin());
  }
  last_plan = "plain kernels (refused: " + plan.refused + ")";
  if (!std::exchange(plan.told, true))
    std::fprintf(stderr, "ditto: [conv2d] %s of x %s, w %s runs on the %s\n", Operation::kName,
                 to_string(Shape{s.n, s.h, s.w, s.c}).c_str(),
                 to_string(Shape{s.o, s.kh, s.kw, s.group_inputs()}).c_str(), last_plan.c_str());
  return false;
}

template <class T>
T* pointer(const View& view) {
  return static_cast<T*>(view.data);  // dtype is checked; null where undefined
}

}  // namespace

int64_t cudnn_workspace_limit() { return workspace_limit().load(std::memory_order_relaxed); }
void set_cudnn_workspace_limit(int64_t bytes) { workspace_limit() = bytes; }
const std::string& last_conv2d_plan() { return last_plan; }

void conv2d_forward(CudaContext& ctx, const View& x, const View& w, const View& bias, const View& y,
                    const Conv2dParams& p) {
  const Conv2dShape s = checked_conv2d_shape(ctx.device(), x, w, bias, y, p);
  if (s.n == 0) return;
  on_float_or_bf16(x.dtype, "conv2d", [&]<class T>(T) {
    T* const out = pointer<T>(y);
    if constexpr (!std::is_same_v<T, double>)
      if (run_cudnn<Forward>(ctx, s, pointer<T>(x), pointer<T>(w), out)) {
        if (bias.defined()) {
          View every_pixel = bias;
          every_pixel.shape = y.shape;
          every_pixel.strides = {0, 0, 0, 1};
          binary_forward(ctx, binary_id<math::Add>, y, every_pixel, y);
        }
        return;
      }
    conv2d_forward_direct<T>(ctx, s, pointer<T>(x), pointer<T>(w), pointer<T>(bias), out);
  });
}

void conv2d_backward_data(CudaContext& ctx, const View& dy, const View& w, const View& dx,
                          const Conv2dParams& p) {
  const Conv2dShape s = checked_conv2d_shape(ctx.device(), dx, w, View{}, dy, p);
  if (s.n == 0) return;
  on_float_or_bf16(dx.dtype, "conv2d", [&]<class T>(T) {
    if constexpr (!std::is_same_v<T, double>)
      if (run_cudnn<BackwardData>(ctx, s, pointer<T>(dy), pointer<T>(w), pointer<T>(dx))) return;
    conv2d_backward_data_direct<T>(ctx, s, pointer<T>(dy), pointer<T>(w), pointer<T>(dx));
  });
}

void conv2d_backward_weights(CudaContext& ctx, const View& dy, const View& x, const View& dw,
                             const View& dbias, const Conv2dParams& p) {
  const Conv2dShape s = checked_conv2d_shape(ctx.device(), x, dw, dbias, dy, p);
  if (s.n == 0) {  // the sum over no images
    for (const View* gradient : {&dw, &dbias})
      if (gradient->defined())
        cuda_check(
            cudaMemsetAsync(gradient->data, 0,
                            static_cast<size_t>(gradient->numel() * size_of(gradient->dtype)),
                            ctx.stream()),
            "cudaMemsetAsync of a weight gradient");
    return;
  }
  on_float_or_bf16(x.dtype, "conv2d", [&]<class T>(T) {
    bool done = false;
    if constexpr (!std::is_same_v<T, double>)
      done = run_cudnn<BackwardWeights>(ctx, s, pointer<T>(dy), pointer<T>(x), pointer<T>(dw));
    if (!done)
      conv2d_backward_weights_direct<T>(ctx, s, pointer<T>(dy), pointer<T>(x), pointer<T>(dw));
    if (dbias.defined()) reduce_sum(ctx, dy, dbias, {1, s.n * s.oh * s.ow, s.o}, 1.0);
  });
}

}  // namespace ditto::kernels
