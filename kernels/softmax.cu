// Plan. Each row is read once and its result written once: the bound is the bytes of the inputs and
// outputs. Arithmetic is two exponentials per element.
//
// Mapping: kernels/row_tile.cuh. A row is shifted by its maximum and then summed, both from shared
// memory, which is exact where an online maximum would rescale. A shift that is not finite is
// replaced by 0, which gives the CPU's results for rows with infinities or NaN. Everything runs in
// the dtype of the logits. What would lose digits is kept in two parts: log p = (x - top) - log
// sum, never x - (top + log sum), so logits of +-1e4 are as good as small ones; `lse` is f64 and is
// split into two parts again where it is read.
//
// Labels are checked on the device (core/cuda_fault.h): a bad one gives its row a NaN loss and is
// reported by the next synchronising call. Considered: checking on the host, which would wait for
// the labels in every step.
#include "kernels/softmax.h"

#include "kernels/fault.cuh"
#include "kernels/launch.cuh"
#include "kernels/row_tile.cuh"

namespace ditto::kernels {
namespace {

int64_t columns_of(const View& x) { return x.shape.back(); }
int64_t rows_of(const View& x) { return columns_of(x) > 0 ? x.numel() / columns_of(x) : 0; }

// log p_c = (x_c - shift) - log_sum.
template <class T>
struct Normaliser {
  T shift, log_sum;
  __device__ T log_p(T x) const { return (x - shift) - log_sum; }
};

template <class T, bool kTiled>
__device__ Normaliser<T> normaliser(const RowPlace<T, kTiled>& place, const T* row, T* scratch) {
  T top = -INFINITY;
  for (int c = place.lane; c < place.columns; c += place.lanes) top = fmax(top, row[c]);
  top = place.max(top, scratch);
  const T shift = isfinite(top) ? top : T(0);
  T sum = 0;
#pragma unroll 1  // exp branches: unrolled, its barrier registers would spill
  for (int c = place.lane; c < place.columns; c += place.lanes) sum += exp(row[c] - shift);
  return {shift, log(place.sum(sum, scratch))};
}

template <class T, bool kTiled, bool kLog>
__global__ void __launch_bounds__(kRowThreads) forward_kernel(const T* x, T* y, RowPlan plan) {
  DYNAMIC_SHARED(T, tile);
  SHARED_ARRAY(T, scratch, kWarp);
  const RowPlace<T, kTiled> place(plan);
  const T* row = place.load(plan, x, tile);
  __syncthreads();
  const Normaliser<T> norm = normaliser(place, row, scratch);
  T* out = place.output(plan, y, tile);
#pragma unroll 1
  for (int c = place.lane; c < place.columns; c += place.lanes) {
    const T log_p = norm.log_p(row[c]);
    out[c] = kLog ? log_p : exp(log_p);
  }
  place.finish(plan, y, tile);
}

// kLog: dx = dy - exp(y) sum(dy), else dx = y (dy - <dy, y>).
template <class T, bool kTiled, bool kLog>
__global__ void __launch_bounds__(kRowThreads)
    backward_kernel(const T* dy, const T* y, T* dx, RowPlan plan) {
  DYNAMIC_SHARED(T, tile);
  SHARED_ARRAY(T, scratch, kWarp);
  const RowPlace<T, kTiled> place(plan);
  const T* g = place.load(plan, dy, tile);
  const T* saved = place.load(plan, y, tile + plan.pitch * plan.block_rows);
  __syncthreads();
  T sum = 0;
  for (int c = place.lane; c < place.columns; c += place.lanes)
    sum += kLog ? g[c] : g[c] * saved[c];
  sum = place.sum(sum, scratch);
  T* out = place.output(plan, dx, tile);
#pragma unroll 1
  for (int c = place.lane; c < place.columns; c += place.lanes)
    out[c] = kLog ? g[c] - exp(saved[c]) * sum : saved[c] * (g[c] - sum);
  place.finish(plan, dx, tile);
}

// Target weights of a row, from a label or from a row of soft targets.
template <class T>
struct Target {
  const int64_t* labels;
  const T* soft;
  int64_t ignore, classes;
  T keep, spread;  // y = keep * target + spread

  Target(const View& label_view, const View& soft_view, int64_t classes,
         const CrossEntropyParams& p)
      : labels(label_view.defined() ? label_view.as<int64_t>() : nullptr),
        soft(soft_view.defined() ? soft_view.as<T>() : nullptr),
        ignore(p.ignore_index),
        classes(classes),
        keep(static_cast<T>(1 - p.label_smoothing)),
        spread(static_cast<T>(p.label_smoothing / static_cast<double>(classes))) {}
};

// F: kernels/softmax_loss_math.h.
template <class T, bool kTiled, class F>
__global__ void __launch_bounds__(kRowThreads)
    cross_entropy_forward_kernel(const T* logits, Target<T> target, F f, T* loss, double* lse,
                                 RowPlan plan, CudaFault* fault) {
  DYNAMIC_SHARED(T, tile);
  SHARED_ARRAY(T, scratch, kWarp);
  const RowPlace<T, kTiled> place(plan);
  const T* z = place.load(plan, logits, tile);
  const T* soft =
      target.soft ? place.load(plan, target.soft, tile + plan.pitch * plan.block_rows) : nullptr;
  __syncthreads();
  const Normaliser<T> norm = normaliser(place, z, scratch);
  const int64_t label = target.labels && place.columns > 0 ? target.labels[place.row] : 0;
  const bool ignored = target.labels && label == target.ignore;
  const bool bad = target.labels && !ignored && (label < 0 || label >= target.classes);
  T sum = 0;
  if (target.labels && target.spread == 0) {
    if (place.lane == 0 && place.columns > 0 && !ignored && !bad)
      sum = f.value(-norm.log_p(z[label]));
  } else {
#pragma unroll 1
    for (int c = place.lane; c < place.columns; c += place.lanes) {
      const T weight = target.keep * (soft ? soft[c] : T(c == label)) + target.spread;
      if (weight != 0) sum += weight * f.value(-norm.log_p(z[c]));  // 0 * inf is not a loss
    }
    sum = place.sum(sum, scratch);
  }
  if (place.lane != 0 || place.columns == 0) return;
  if (bad) report_fault(fault, FaultKind::CrossEntropyLabel, label, place.row, target.classes);
  loss[place.row] = ignored ? T(0) : bad ? T(NAN) : sum;
  lse[place.row] = static_cast<double>(norm.shift) + static_cast<double>(norm.log_sum);
}

template <class T, bool kTiled, class F>
__global__ void __launch_bounds__(kRowThreads)
    cross_entropy_backward_kernel(const T* g, const T* logits, Target<T> target, F f,
                                  const double* lse, T* dlogits, RowPlan plan) {
  DYNAMIC_SHARED(T, tile);
  SHARED_ARRAY(T, scratch, kWarp);
  const RowPlace<T, kTiled> place(plan);
  const T* z = place.load(plan, logits, tile);
  const T* soft =
      target.soft ? place.load(plan, target.soft, tile + plan.pitch * plan.block_rows) : nullptr;
  __syncthreads();
  const bool valid = place.columns > 0;
  const int64_t label = target.labels && valid ? target.labels[place.row] : 0;
  const bool ignored = target.labels && label == target.ignore;
  const double total = valid ? lse[place.row] : 0.0;
  const T high = static_cast<T>(total);
  const T low = isfinite(high) ? static_cast<T>(total - static_cast<double>(high)) : T(0);
  const auto weight = [&](int c) {
    const T y = target.keep * (soft ? soft[c] : T(c == label)) + target.spread;
    return y * f.slope(low - (z[c] - high));
  };
  // Long rows keep their weights in dlogits between the loops: two functions in one loop of f64
  // code need more barrier registers than there are.
  constexpr bool kStored = !kTiled && !F::identity;
  const bool one_hot = target.labels && target.spread == 0;
  T* out = place.output(plan, dlogits, tile);
  T mass = 1;  // sum of the weights: 1 for cross-entropy and targets that sum to 1
  if (one_hot && !F::identity) {
    const bool named = valid && !ignored && label >= 0 && label < target.classes;
    mass = named ? weight(static_cast<int>(label)) : T(0);
  } else if (!target.labels || !F::identity) {
    mass = 0;
#pragma unroll 1
    for (int c = place.lane; c < place.columns; c += place.lanes) {
      const T w = weight(c);
      if (kStored) out[c] = w;
      mass += w;
    }
    mass = place.sum(mass, scratch);
  }
  const T scale = valid ? g[place.row] : T(0);
  // `out` may be where z lies, of which all lanes read the label's column for the mass.
  if (!F::identity) __syncthreads();
#pragma unroll 1
  for (int c = place.lane; c < place.columns; c += place.lanes) {
    const T p = exp((z[c] - high) - low);
    T w;
    if constexpr (kStored)
      w = one_hot ? (c == label ? mass : T(0)) : out[c];
    else
      w = weight(c);
    out[c] = ignored ? T(0) : scale * (mass * p - w);
  }
  place.finish(plan, dlogits, tile);
}

template <class T, bool kLog>
void forward(CudaContext& ctx, const char* name, const View& x, const View& y) {
  const RowPlan plan(rows_of(x), columns_of(x), sizeof(T), 1);
  with_tiles(plan, [&](auto tiled) {
    launch(ctx, name, forward_kernel<T, decltype(tiled)::value, kLog>,
           {.grid = plan.blocks(), .block = kRowThreads, .shared_bytes = plan.shared_bytes},
           x.as<T>(), y.as<T>(), plan);
  });
}

template <class T, bool kLog>
void backward(CudaContext& ctx, const char* name, const View& dy, const View& y, const View& dx) {
  const RowPlan plan(rows_of(y), columns_of(y), sizeof(T), 2);
  with_tiles(plan, [&](auto tiled) {
    launch(ctx, name, backward_kernel<T, decltype(tiled)::value, kLog>,
           {.grid = plan.blocks(), .block = kRowThreads, .shared_bytes = plan.shared_bytes},
           dy.as<T>(), y.as<T>(), dx.as<T>(), plan);
  });
}

}  // namespace

void softmax_forward(CudaContext& ctx, const View& x, const View& y) {
  on_float(x.dtype, "softmax",
           [&]<class T>(T) { forward<T, false>(ctx, "softmax_forward", x, y); });
}
void softmax_backward(CudaContext& ctx, const View& dy, const View& y, const View& dx) {
  on_float(y.dtype, "softmax",
           [&]<class T>(T) { backward<T, false>(ctx, "softmax_backward", dy, y, dx); });
}
void log_softmax_forward(CudaContext& ctx, const View& x, const View& y) {
  on_float(x.dtype, "log_softmax",
           [&]<class T>(T) { forward<T, true>(ctx, "log_softmax_forward", x, y); });
}
void log_softmax_backward(CudaContext& ctx, const View& dy, const View& y, const View& dx) {
  on_float(y.dtype, "log_softmax",
           [&]<class T>(T) { backward<T, true>(ctx, "log_softmax_backward", dy, y, dx); });
}

void cross_entropy_forward(CudaContext& ctx, const View& logits, const View& labels,
                           const View& targets, const View& loss, const View& lse,
                           const CrossEntropyParams& p) {
  on_float(logits.dtype, "cross_entropy", [&]<class T>(T) {
    const RowPlan plan(rows_of(logits), columns_of(logits), sizeof(T), targets.defined() ? 2 : 1);
    const Target<T> target(labels, targets, plan.columns, p);
    with_nll_function<T>(p.function, [&]<class F>(F f) {
      with_tiles(plan, [&](auto tiled) {
        launch(ctx, "cross_entropy_forward",
               cross_entropy_forward_kernel<T, decltype(tiled)::value, F>,
               {.grid = plan.blocks(), .block = kRowThreads, .shared_bytes = plan.shared_bytes},
               logits.as<T>(), target, f, loss.as<T>(), lse.as<double>(), plan, ctx.fault());
      });
    });
  });
}

void cross_entropy_backward(CudaContext& ctx, const View& g, const View& logits, const View& labels,
                            const View& targets, const View& lse, const View& dlogits,
                            const CrossEntropyParams& p) {
  on_float(logits.dtype, "cross_entropy", [&]<class T>(T) {
    const RowPlan plan(rows_of(logits), columns_of(logits), sizeof(T), targets.defined() ? 2 : 1);
    const Target<T> target(labels, targets, plan.columns, p);
    with_nll_function<T>(p.function, [&]<class F>(F f) {
      with_tiles(plan, [&](auto tiled) {
        launch(ctx, "cross_entropy_backward",
               cross_entropy_backward_kernel<T, decltype(tiled)::value, F>,
               {.grid = plan.blocks(), .block = kRowThreads, .shared_bytes = plan.shared_bytes},
               g.as<T>(), logits.as<T>(), target, f, lse.as<double>(), dlogits.as<T>(), plan);
      });
    });
  });
}

}  // namespace ditto::kernels
