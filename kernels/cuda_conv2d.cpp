// Convolutions on CUDA: cuDNN for f32 and bf16 (summed in f32), our plain kernels (conv2d.cu) for
// f64 and for what cuDNN refuses.
//
// Uses cuDNN's convolution calls of version 7 and not its graph API: they are deprecated but
// present in 9.19, cover forward and both gradients over NHWC f32, and need descriptors that a test
// double can check completely. Everything about them is in this file. cuDNN's heuristics rank the
// algorithms once per shape (with conv2d_benchmark(), the clock does, on the first operands); the
// ranked list is kept, descriptors with it, and an algorithm that turns out not to be supported is
// struck off and the next one tried.
#include <cudnn.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/graph_capture.h"
#include "kernels/binary_math.h"
#include "kernels/compute_type.h"
#include "kernels/cuda_conv2d.h"
#include "kernels/elementwise.h"
#include "kernels/lru_cache.h"
#include "kernels/reduce.h"

namespace ditto::kernels {
namespace {

void cudnn_check(cudnnStatus_t status, Literal call, const Conv2dShape& s) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw_error(
      Message("[conv2d] " + std::string(call.text) + " failed: " + cudnnGetErrorString(status) +
                  " for x, w, stride, padding, dilation, groups",
              call.file, call.line),
      {to_string(Shape{s.n, s.h, s.w, s.c}), to_string(Shape{s.o, s.kh, s.kw, s.c / s.groups}),
       std::to_string(s.stride), std::to_string(s.padding), std::to_string(s.dilation),
       std::to_string(s.groups)});
}

// The four descriptors of a convolution.
class Descriptors {
 public:
  Descriptors(const Conv2dShape& s, bool bf16, bool tf32) {
    const cudnnDataType_t type = bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    const auto i = [](int64_t value) { return static_cast<int>(value); };
    cudnnTensorDescriptor_t tensors[2] = {};
    for (int t = 0; t < 2; ++t) {
      cudnn_check(cudnnCreateTensorDescriptor(&tensors[t]), "cudnnCreateTensorDescriptor", s);
      (t == 0 ? x_ : y_).reset(tensors[t]);
    }
    cudnnFilterDescriptor_t filter = nullptr;
    cudnn_check(cudnnCreateFilterDescriptor(&filter), "cudnnCreateFilterDescriptor", s);
    w_.reset(filter);
    cudnnConvolutionDescriptor_t convolution = nullptr;
    cudnn_check(cudnnCreateConvolutionDescriptor(&convolution), "cudnnCreateConvolutionDescriptor",
                s);
    convolution_.reset(convolution);
    cudnn_check(
        cudnnSetTensor4dDescriptor(x(), CUDNN_TENSOR_NHWC, type, i(s.n), i(s.c), i(s.h), i(s.w)),
        "cudnnSetTensor4dDescriptor of x", s);
    cudnn_check(
        cudnnSetTensor4dDescriptor(y(), CUDNN_TENSOR_NHWC, type, i(s.n), i(s.o), i(s.oh), i(s.ow)),
        "cudnnSetTensor4dDescriptor of y", s);
    cudnn_check(cudnnSetFilter4dDescriptor(w(), type, CUDNN_TENSOR_NHWC, i(s.o),
                                           i(s.group_inputs()), i(s.kh), i(s.kw)),
                "cudnnSetFilter4dDescriptor", s);
    cudnn_check(cudnnSetConvolution2dDescriptor(
                    this->convolution(), i(s.padding), i(s.padding), i(s.stride), i(s.stride),
                    i(s.dilation), i(s.dilation), CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                "cudnnSetConvolution2dDescriptor", s);
    cudnn_check(cudnnSetConvolutionGroupCount(this->convolution(), i(s.groups)),
                "cudnnSetConvolutionGroupCount", s);
    // The default lets f32 be rounded to TF32 on the way to the tensor cores.
    cudnn_check(cudnnSetConvolutionMathType(this->convolution(), bf16   ? CUDNN_TENSOR_OP_MATH
                                                                 : tf32 ? CUDNN_DEFAULT_MATH
                                                                        : CUDNN_FMA_MATH),
                "cudnnSetConvolutionMathType", s);
  }

  cudnnTensorDescriptor_t x() const { return x_.get(); }
  cudnnTensorDescriptor_t y() const { return y_.get(); }
  cudnnFilterDescriptor_t w() const { return w_.get(); }
  cudnnConvolutionDescriptor_t convolution() const { return convolution_.get(); }

 private:
  template <auto destroy>
  struct Destroy {
    template <class T>
    void operator()(T* descriptor) const {
      destroy(descriptor);
    }
  };
  template <class Handle, auto destroy>
  using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<destroy>>;

  Owner<cudnnTensorDescriptor_t, cudnnDestroyTensorDescriptor> x_, y_;
  Owner<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor> w_;
  Owner<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor> convolution_;
};

// What the three operations call alike, under the names of the one in hand.
struct Forward {
  static constexpr int64_t kNumber = 0;
  static constexpr const char *kName = "forward", *kCall = "cudnnConvolutionForward";
  using Perf = cudnnConvolutionFwdAlgoPerf_t;
  static constexpr int kCount = CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
  static cudnnStatus_t rank(cudnnHandle_t h, const Descriptors& d, int count, int* found, Perf* p) {
    return cudnnGetConvolutionForwardAlgorithm_v7(h, d.x(), d.w(), d.convolution(), d.y(), count,
                                                  found, p);
  }
  static cudnnStatus_t workspace(cudnnHandle_t h, const Descriptors& d, int algo, size_t* bytes) {
    return cudnnGetConvolutionForwardWorkspaceSize(h, d.x(), d.w(), d.convolution(), d.y(),
                                                   cudnnConvolutionFwdAlgo_t(algo), bytes);
  }
  // inputs: x, w; output: y.
  static cudnnStatus_t run(cudnnHandle_t h, const Descriptors& d, int algo, const void* x,
                           const void* w, void* y, void* space, size_t bytes) {
    const float one = 1, zero = 0;
    return cudnnConvolutionForward(h, &one, d.x(), x, d.w(), w, d.convolution(),
                                   cudnnConvolutionFwdAlgo_t(algo), space, bytes, &zero, d.y(), y);
  }
};
struct BackwardData {
  static constexpr int64_t kNumber = 1;
  static constexpr const char *kName = "backward_data", *kCall = "cudnnConvolutionBackwardData";
  using Perf = cudnnConvolutionBwdDataAlgoPerf_t;
  static constexpr int kCount = CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;
  static cudnnStatus_t rank(cudnnHandle_t h, const Descriptors& d, int count, int* found, Perf* p) {
    return cudnnGetConvolutionBackwardDataAlgorithm_v7(h, d.w(), d.y(), d.convolution(), d.x(),
                                                       count, found, p);
  }
  static cudnnStatus_t workspace(cudnnHandle_t h, const Descriptors& d, int algo, size_t* bytes) {
    return cudnnGetConvolutionBackwardDataWorkspaceSize(h, d.w(), d.y(), d.convolution(), d.x(),
                                                        cudnnConvolutionBwdDataAlgo_t(algo), bytes);
  }
  // inputs: dy, w; output: dx.
  static cudnnStatus_t run(cudnnHandle_t h, const Descriptors& d, int algo, const void* dy,
                           const void* w, void* dx, void* space, size_t bytes) {
    const float one = 1, zero = 0;
    return cudnnConvolutionBackwardData(h, &one, d.w(), w, d.y(), dy, d.convolution(),
                                        cudnnConvolutionBwdDataAlgo_t(algo), space, bytes, &zero,
                                        d.x(), dx);
  }
};
struct BackwardWeights {
  static constexpr int64_t kNumber = 2;
  static constexpr const char *kName = "backward_weights",
                              *kCall = "cudnnConvolutionBackwardFilter";
  using Perf = cudnnConvolutionBwdFilterAlgoPerf_t;
  static constexpr int kCount = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;
  static cudnnStatus_t rank(cudnnHandle_t h, const Descriptors& d, int count, int* found, Perf* p) {
    return cudnnGetConvolutionBackwardFilterAlgorithm_v7(h, d.x(), d.y(), d.convolution(), d.w(),
                                                         count, found, p);
  }
  static cudnnStatus_t workspace(cudnnHandle_t h, const Descriptors& d, int algo, size_t* bytes) {
    return cudnnGetConvolutionBackwardFilterWorkspaceSize(
        h, d.x(), d.y(), d.convolution(), d.w(), cudnnConvolutionBwdFilterAlgo_t(algo), bytes);
  }
  // inputs: dy, x; output: dw.
  static cudnnStatus_t run(cudnnHandle_t h, const Descriptors& d, int algo, const void* dy,
                           const void* x, void* dw, void* space, size_t bytes) {
    const float one = 1, zero = 0;
    return cudnnConvolutionBackwardFilter(h, &one, d.x(), x, d.y(), dy, d.convolution(),
                                          cudnnConvolutionBwdFilterAlgo_t(algo), space, bytes,
                                          &zero, d.w(), dw);
  }
};

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
  int64_t operation, device, bf16, tf32, deterministic, benchmark, workspace;
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
  bool told = false, measured = false;

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

// Puts the fastest candidate first: every one computes the same result, so that trying them only
// costs time.
template <class Run>
void rank_by_time(CudaContext& ctx, Plan& plan, Run&& run) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRounds = 4, kCalls = 8;  // several calls, or waiting would outweigh small ones
  std::vector<std::pair<double, Candidate>> timed;
  for (const Candidate& candidate : plan.candidates) {
    double best = INFINITY;  // stays, and the last place with it, where cuDNN refuses
    for (int round = 0; round < kRounds; ++round) {
      ctx.synchronize();
      const Clock::time_point start = Clock::now();
      cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
      for (int call = 0; call < kCalls && status == CUDNN_STATUS_SUCCESS; ++call)
        status = run(candidate);
      if (status != CUDNN_STATUS_SUCCESS) break;
      ctx.synchronize();
      const std::chrono::duration<double> seconds = Clock::now() - start;
      if (round > 0) best = std::min(best, seconds.count());  // the first one loads the kernels
    }
    timed.emplace_back(best, candidate);
  }
  std::stable_sort(timed.begin(), timed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::transform(timed.begin(), timed.end(), plan.candidates.begin(),
                 [](const auto& entry) { return entry.second; });
  plan.measured = true;
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
                conv2d_benchmark(),
                cudnn_workspace_limit()};
  Plan& plan = cache.get(key, [&] { return prepare<Operation>(ctx, key); });
  const auto run = [&](const Candidate& candidate) {
    return run_candidate<Operation>(ctx, plan, candidate, s, first, second, out);
  };
  // A graph that is being captured cannot wait for its kernels: the ranking by the clock comes with
  // the next run outside.
  if (key.benchmark != 0 && !plan.measured && plan.candidates.size() > 1 && !current_capture())
    rank_by_time(ctx, plan, run);
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
