// Plan. Bytes against the minimum (x counted as 1): statistics read 1 (minimum 1); apply reads x
// and the residual and writes y (the minimum); backward reads dy, x and y twice and writes dx
// (minimum once: the sums over all rows must be known before the first dx, and no cache holds an
// activation in between). Per-channel values add below 7 %, for matrices of few rows more.
//
// Mapping: kernels/columns.cuh. Statistics: a thread holds eight rows of its channels in registers,
// takes their mean and then their squared deviations from it, exactly as two passes over memory
// would, and merges them into what it has (Chan, Golub, LeVeque 1983): no E[x^2] - E[x]^2, one
// division per eight rows. Threads merge in a tree, blocks through the workspace; the blocks' parts
// are merged and the sums of backward finished in double, which costs channels x 512 operations.
// ReLU and the residual are template parameters, so the loops hold no branch. Of bf16 images, T in
// the kernels, only what is as large as x is bf16: statistics, parameters, sums and workspace are
// C, f32. Considered: Welford's update per element (a division each, and one chain of dependent
// steps); a cooperative launch that would keep x in registers between statistics and apply (fits
// only the smallest layers).
#include "kernels/batch_norm.h"

#include "kernels/batch_norm_math.h"
#include "kernels/columns.cuh"
#include "kernels/launch.cuh"

namespace ditto::kernels {
namespace {

constexpr int kUnroll = 8;
constexpr int64_t kMostPieces = 512;

template <class T>
const T* optional(const View& view) {
  return view.defined() ? view.as<T>() : nullptr;
}

// Rows of a thread in kernels that load parameters first: the shorter its elements, the more.
template <int P>
inline constexpr int kApplyUnroll = P == 8 ? 8 : 4;

int64_t channels_of(const View& x) { return x.shape.back(); }
int64_t rows_of(const View& x) { return x.numel() / std::max<int64_t>(1, channels_of(x)); }

// Count, mean and sum of squared deviations; all values of a thread's channels have one count.
template <class T, int P>
struct Moments {
  T count = 0, mean[P] = {}, m2[P] = {};

  __device__ void merge(T other_count, const T (&other_mean)[P], const T (&other_m2)[P]) {
    if (other_count == 0) return;
    const T total = count + other_count, part = other_count / total;
    for (int k = 0; k < P; ++k) {
      const T delta = other_mean[k] - mean[k];
      m2[k] += other_m2[k] + delta * delta * count * part;
      mean[k] += delta * part;
    }
    count = total;
  }
};

// Adds eight rows at `from` and below, `height` apart; only the first `valid` exist.
template <bool kAll, class T, class C, int P>
__device__ void add_rows(Moments<C, P>& moments, const T* from, int64_t step, int valid) {
  Pack<C, P> x[kUnroll];
  C mean[P] = {}, m2[P] = {};
  for (int i = 0; i < kUnroll; ++i)
    if (kAll || i < valid) x[i] = load_pack<P>(from + i * step);
  for (int i = 0; i < kUnroll; ++i)
    for (int k = 0; k < P; ++k)
      if (kAll || i < valid) mean[k] += x[i].v[k];
  const C count = static_cast<C>(kAll ? kUnroll : valid), inverse = C(1) / count;
  for (int k = 0; k < P; ++k) mean[k] *= inverse;
  for (int i = 0; i < kUnroll; ++i)
    for (int k = 0; k < P; ++k)
      if (kAll || i < valid) {
        const C d = x[i].v[k] - mean[k];
        m2[k] += d * d;
      }
  moments.merge(count, mean, m2);
}

// parts (pieces, 2, columns): mean and squared deviations of each piece.
template <class T, int P>
__global__ void __launch_bounds__(kColumnThreads)
    statistics_kernel(const T* x, ComputeType<T>* parts, ColumnPlan plan) {
  using C = ComputeType<T>;
  SHARED_ARRAY(C, scratch, (2 * P + 1) * kColumnThreads);
  const ColumnPlace<P> place(plan, blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  Moments<C, P> moments;
  const int64_t step = plan.height * plan.stride;
  for (int64_t r = place.begin; r < place.end; r += kUnroll * plan.height) {
    const T* from = x + r * plan.stride + place.column;
    const int64_t left = (place.end - r + plan.height - 1) / plan.height;
    if (left >= kUnroll)
      add_rows<true>(moments, from, step, kUnroll);
    else
      add_rows<false>(moments, from, step, static_cast<int>(left));
  }
  const auto put = [&] {
    scratch[thread] = moments.count;
    for (int k = 0; k < P; ++k) {
      scratch[(1 + k) * kColumnThreads + thread] = moments.mean[k];
      scratch[(1 + P + k) * kColumnThreads + thread] = moments.m2[k];
    }
  };
  put();
  int half = 1;
  while (2 * half < plan.height) half *= 2;
  for (; half > 0; half /= 2) {
    __syncthreads();
    if (place.y < half && place.y + half < plan.height) {
      const int other = thread + half * plan.width;
      C mean[P], m2[P];
      for (int k = 0; k < P; ++k) {
        mean[k] = scratch[(1 + k) * kColumnThreads + other];
        m2[k] = scratch[(1 + P + k) * kColumnThreads + other];
      }
      moments.merge(scratch[other], mean, m2);
      put();
    }
  }
  if (place.y != 0 || !place.active) return;
  Pack<C, P> mean, m2;
  for (int k = 0; k < P; ++k) mean.v[k] = moments.mean[k], m2.v[k] = moments.m2[k];
  C* to = parts + place.piece * 2 * plan.columns + place.column;
  store_pack(to, mean);
  store_pack(to + plan.columns, m2);
}

// Second step: 8 channels a block, 32 threads each, which then merge in a tree.
constexpr int kMergeChannels = 8, kMergeThreads = 32;

template <class T>
__global__ void __launch_bounds__(kMergeChannels* kMergeThreads)
    merge_kernel(const T* parts, T* mean, T* variance, ColumnPlan plan) {
  SHARED_ARRAY(double, scratch, 3 * kMergeChannels * kMergeThreads);
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t channel = int64_t{blockIdx.x} * kMergeChannels + thread % kMergeChannels;
  const int lane = thread / kMergeChannels;
  Moments<double, 1> total;
  if (channel < plan.columns)
    for (int64_t p = lane; p < plan.pieces; p += kMergeThreads) {
      const int64_t end = (p + 1) * plan.piece_rows;
      const double count =
          static_cast<double>((end < plan.rows ? end : plan.rows) - p * plan.piece_rows);
      const T* part = parts + p * 2 * plan.columns + channel;
      const double part_mean[1] = {double(part[0])}, part_m2[1] = {double(part[plan.columns])};
      total.merge(count, part_mean, part_m2);
    }
  double* own = scratch + 3 * thread;
  for (int half = kMergeThreads / 2;; half /= 2) {
    own[0] = total.count, own[1] = total.mean[0], own[2] = total.m2[0];
    if (half == 0) break;
    __syncthreads();
    if (lane < half) {
      const double* other = own + 3 * half * kMergeChannels;
      const double other_mean[1] = {other[1]}, other_m2[1] = {other[2]};
      total.merge(other[0], other_mean, other_m2);
    }
    __syncthreads();
  }
  if (lane != 0 || channel >= plan.columns) return;
  mean[channel] = static_cast<T>(total.mean[0]);
  variance[channel] = static_cast<T>(total.count > 0 ? total.m2[0] / total.count : 0.0);
}

template <class T>
struct Channels {
  const T *mean, *invstd, *gamma, *beta;
};

template <class T, int P, bool kResidual, bool kRelu>
__global__ void __launch_bounds__(kColumnThreads)
    apply_kernel(const T* x, Channels<ComputeType<T>> channels, const T* residual, T* y,
                 ColumnPlan plan) {
  using C = ComputeType<T>;
  const ColumnPlace<P> place(plan, blockIdx.x);
  if (place.begin >= place.end) return;
  const Pack<C, P> mean = load_pack<P>(channels.mean + place.column);
  Pack<C, P> scale = load_pack<P>(channels.invstd + place.column), shift{};
  if (channels.gamma) {
    const Pack<C, P> gamma = load_pack<P>(channels.gamma + place.column);
    for (int k = 0; k < P; ++k) scale.v[k] *= gamma.v[k];
  }
  if (channels.beta) shift = load_pack<P>(channels.beta + place.column);
  for (int64_t r = place.begin; r < place.end; r += plan.height) {
    const int64_t at = r * plan.stride + place.column;
    Pack<C, P> v = load_pack<P>(x + at), skip;
    if constexpr (kResidual) skip = load_pack<P>(residual + at);
    for (int k = 0; k < P; ++k) {
      v.v[k] = (v.v[k] - mean.v[k]) * scale.v[k] + shift.v[k];
      if constexpr (kResidual) v.v[k] += skip.v[k];
      if constexpr (kRelu) v.v[k] = v.v[k] < C(0) ? C(0) : v.v[k];
    }
    store_pack(y + at, v);
  }
}

// parts (pieces, 2, columns): sum dy and sum dy (x - mean) of each piece, dy through the ReLU.
template <class T, int P, bool kRelu>
__global__ void __launch_bounds__(kColumnThreads)
    backward_sums_kernel(const T* dy, const T* x, const T* y, const ComputeType<T>* mean,
                         ComputeType<T>* parts, ColumnPlan plan) {
  using C = ComputeType<T>;
  SHARED_ARRAY(C, scratch, 2 * P * kColumnThreads);
  const ColumnPlace<P> place(plan, blockIdx.x);
  C sums[2][P] = {};
  Pack<C, P> m{};
  if (place.active) m = load_pack<P>(mean + place.column);
  for (int64_t r = place.begin; r < place.end; r += plan.height) {
    const int64_t at = r * plan.stride + place.column;
    const Pack<C, P> g = load_pack<P>(dy + at), v = load_pack<P>(x + at);
    Pack<C, P> out;
    if constexpr (kRelu) out = load_pack<P>(y + at);
    for (int k = 0; k < P; ++k) {
      const C through = !kRelu || out.v[k] > C(0) ? g.v[k] : C(0);
      sums[0][k] += through;
      sums[1][k] += through * (v.v[k] - m.v[k]);
    }
  }
  sum_over_rows(plan, place, sums, scratch);
  if (place.y != 0 || !place.active) return;
  for (int n = 0; n < 2; ++n) {
    Pack<C, P> out;
    for (int k = 0; k < P; ++k) out.v[k] = sums[n][k];
    store_pack(parts + (place.piece * 2 + n) * plan.columns + place.column, out);
  }
}

// dgamma, dbeta, and the coefficients (3, columns) of dx = a dy + b (x - mean) + d.
template <class T>
__global__ void __launch_bounds__(kMergeChannels* kMergeThreads)
    coefficients_kernel(const T* parts, Channels<T> channels, bool training, T* dgamma, T* dbeta,
                        T* coefficients, ColumnPlan plan) {
  SHARED_ARRAY(double, scratch, 2 * kMergeChannels * kMergeThreads);
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t channel = int64_t{blockIdx.x} * kMergeChannels + thread % kMergeChannels;
  const int lane = thread / kMergeChannels;
  double sum = 0, dot = 0;
  if (channel < plan.columns)
    for (int64_t p = lane; p < plan.pieces; p += kMergeThreads) {
      sum += double(parts[p * 2 * plan.columns + channel]);
      dot += double(parts[(p * 2 + 1) * plan.columns + channel]);
    }
  double* own = scratch + 2 * thread;
  for (int half = kMergeThreads / 2;; half /= 2) {
    own[0] = sum, own[1] = dot;
    if (half == 0) break;
    __syncthreads();
    if (lane < half) {
      sum += own[2 * half * kMergeChannels];
      dot += own[2 * half * kMergeChannels + 1];
    }
    __syncthreads();
  }
  if (lane != 0 || channel >= plan.columns) return;
  const double inverse = double(channels.invstd[channel]);
  const double scale = (channels.gamma ? double(channels.gamma[channel]) : 1.0) * inverse;
  const double n = static_cast<double>(plan.rows > 0 ? plan.rows : 1);
  if (dgamma) dgamma[channel] = static_cast<T>(dot * inverse);
  if (dbeta) dbeta[channel] = static_cast<T>(sum);
  coefficients[channel] = static_cast<T>(scale);
  coefficients[plan.columns + channel] =
      training ? static_cast<T>(-scale * inverse * inverse * dot / n) : T(0);
  coefficients[2 * plan.columns + channel] = training ? static_cast<T>(-scale * sum / n) : T(0);
}

// dx and, where given, dresidual = dy through the ReLU.
template <class T, int P, bool kRelu>
__global__ void __launch_bounds__(kColumnThreads)
    backward_kernel(const T* dy, const T* x, const T* y, const ComputeType<T>* mean,
                    const ComputeType<T>* coefficients, T* dx, T* dresidual, ColumnPlan plan) {
  using C = ComputeType<T>;
  const ColumnPlace<P> place(plan, blockIdx.x);
  if (place.begin >= place.end) return;
  const Pack<C, P> m = load_pack<P>(mean + place.column);
  const Pack<C, P> a = load_pack<P>(coefficients + place.column);
  const Pack<C, P> b = load_pack<P>(coefficients + plan.columns + place.column);
  const Pack<C, P> d = load_pack<P>(coefficients + 2 * plan.columns + place.column);
  for (int64_t r = place.begin; r < place.end; r += plan.height) {
    const int64_t at = r * plan.stride + place.column;
    Pack<C, P> g = load_pack<P>(dy + at);
    if constexpr (kRelu) {
      const Pack<C, P> out = load_pack<P>(y + at);
      for (int k = 0; k < P; ++k) g.v[k] = out.v[k] > C(0) ? g.v[k] : C(0);
    }
    if (dresidual) store_pack(dresidual + at, g);
    if (!dx) continue;
    Pack<C, P> v = load_pack<P>(x + at);
    for (int k = 0; k < P; ++k) v.v[k] = a.v[k] * g.v[k] + (b.v[k] * (v.v[k] - m.v[k]) + d.v[k]);
    store_pack(dx + at, v);
  }
}

template <class T>
__global__ void __launch_bounds__(kColumnThreads)
    finish_kernel(const T* mean, const T* variance, BatchNormFinish p, double unbiased, T* invstd,
                  T* running_mean, T* running_var, int64_t channels) {
  const int64_t c = int64_t{blockIdx.x} * kColumnThreads + threadIdx.x;
  if (c >= channels) return;
  finish_channel(c, mean, variance, p, unbiased, invstd, running_mean, running_var);
}

int64_t merge_blocks(int64_t channels) { return divide_up(channels, kMergeChannels); }

}  // namespace

void batch_norm_statistics(CudaContext& ctx, const View& x, const View& mean,
                           const View& variance) {
  on_float_or_bf16(x.dtype, "batch_norm", [&]<class T>(T) {
    using C = ComputeType<T>;
    const int64_t rows = rows_of(x), channels = channels_of(x);
    const T* from = x.as<T>();
    with_pack<T>(packable<T>(channels, channels, from), [&](auto pack) {
      constexpr int P = decltype(pack)::value;
      const ColumnPlan plan(rows, channels, channels, P, kUnroll, kMostPieces);
      C* parts = static_cast<C*>(ctx.workspace(plan.pieces * 2 * channels * int64_t{sizeof(C)}));
      launch(ctx, "batch_norm_statistics", statistics_kernel<T, P>,
             {.grid = plan.blocks(), .block = kColumnThreads}, from, parts, plan);
      launch(ctx, "batch_norm_merge", merge_kernel<C>,
             {.grid = merge_blocks(channels), .block = kMergeChannels * kMergeThreads}, parts,
             mean.as<C>(), variance.as<C>(), plan);
    });
  });
}

void batch_norm_finish(CudaContext& ctx, const View& mean, const View& variance, int64_t rows,
                       const BatchNormFinish& p, const View& invstd, const View& running_mean,
                       const View& running_var) {
  on_float(variance.dtype, "batch_norm", [&]<class T>(T) {
    T* running = running_mean.defined() ? running_mean.as<T>() : nullptr;
    launch(ctx, "batch_norm_finish", finish_kernel<T>,
           {.grid = divide_up(variance.numel(), kColumnThreads), .block = kColumnThreads},
           optional<T>(mean), variance.as<T>(), p, unbiased_factor(rows), invstd.as<T>(), running,
           running ? running_var.as<T>() : nullptr, variance.numel());
  });
}

void batch_norm_apply(CudaContext& ctx, const View& x, const View& mean, const View& invstd,
                      const View& gamma, const View& beta, const View& residual, bool relu,
                      const View& y) {
  on_float_or_bf16(x.dtype, "batch_norm", [&]<class T>(T) {
    using C = ComputeType<T>;
    const int64_t rows = rows_of(x), channels = channels_of(x);
    const Channels<C> values{mean.as<C>(), invstd.as<C>(), optional<C>(gamma), optional<C>(beta)};
    const T *from = x.as<T>(), *skip = optional<T>(residual);
    T* to = y.as<T>();
    const bool wide = packable<T>(channels, channels, from, skip, to, values.mean, values.invstd,
                                  values.gamma, values.beta);
    with_pack<T>(wide, [&](auto pack) {
      constexpr int P = decltype(pack)::value;
      const auto kernel =
          skip ? (relu ? apply_kernel<T, P, true, true> : apply_kernel<T, P, true, false>)
               : (relu ? apply_kernel<T, P, false, true> : apply_kernel<T, P, false, false>);
      const ColumnPlan plan(rows, channels, channels, P, kApplyUnroll<P>, rows);
      launch(ctx, "batch_norm_apply", kernel, {.grid = plan.blocks(), .block = kColumnThreads},
             from, values, skip, to, plan);
    });
  });
}

void batch_norm_backward(CudaContext& ctx, const View& dy, const View& x, const View& y,
                         const View& mean, const View& invstd, const View& gamma, bool training,
                         const View& dx, const View& dgamma, const View& dbeta,
                         const View& dresidual) {
  on_float_or_bf16(x.dtype, "batch_norm", [&]<class T>(T) {
    using C = ComputeType<T>;
    const int64_t rows = rows_of(x), channels = channels_of(x);
    const Channels<C> values{mean.as<C>(), invstd.as<C>(), optional<C>(gamma), nullptr};
    const T *g = dy.as<T>(), *from = x.as<T>(), *out = optional<T>(y);
    T* to = dx.defined() ? dx.as<T>() : nullptr;
    T* skip = dresidual.defined() ? dresidual.as<T>() : nullptr;
    const bool wide = packable<T>(channels, channels, g, from, out, to, skip, values.mean);
    with_pack<T>(wide, [&](auto pack) {
      constexpr int P = decltype(pack)::value;
      const ColumnPlan plan(rows, channels, channels, P, 4, kMostPieces);
      C* coefficients =
          static_cast<C*>(ctx.workspace((plan.pieces * 2 + 4) * channels * int64_t{sizeof(C)}));
      C* parts = coefficients + 4 * channels;  // 4: keeps the parts on a 16-byte boundary
      launch(ctx, "batch_norm_backward_sums",
             out ? backward_sums_kernel<T, P, true> : backward_sums_kernel<T, P, false>,
             {.grid = plan.blocks(), .block = kColumnThreads}, g, from, out, values.mean, parts,
             plan);
      launch(ctx, "batch_norm_coefficients", coefficients_kernel<C>,
             {.grid = merge_blocks(channels), .block = kMergeChannels * kMergeThreads}, parts,
             values, training, dgamma.defined() ? dgamma.as<C>() : nullptr,
             dbeta.defined() ? dbeta.as<C>() : nullptr, coefficients, plan);
      if (!to && !skip) return;
      const ColumnPlan fine(rows, channels, channels, P, kApplyUnroll<P>, rows);
      launch(ctx, "batch_norm_backward",
             out ? backward_kernel<T, P, true> : backward_kernel<T, P, false>,
             {.grid = fine.blocks(), .block = kColumnThreads}, g, from, out, values.mean,
             coefficients, to, skip, fine);
    });
  });
}

}  // namespace ditto::kernels
