// Plan. Rows are class scores: some hundred rows of 10 to 1000 columns, a few hundred KB, so
// launches and latency cost more than bytes. A warp per row: it walks the list of group ids, 32 at
// a time, and for each row of its own group, in the order of the batch, does the group's arithmetic
// with its lanes spread over the columns; no barriers, no sorting, no lists, and the order of all
// sums is fixed. Ids are read n times (n^2 / 32 loads that hit the caches), log-probabilities once
// per member of the group.
//
// The logarithm of the group's mean probability is built up member by member as a running
// log-sum-exp, so a probability that underflows keeps its logarithm, as on the CPU; the running
// values lie in the workspace, each touched by one lane only. f32 stays in f32.
// Considered: one block per group (needs the groups sorted first); accumulating probabilities
// instead of logarithms (half the exponentials, but log 0 for what underflows).
#include "kernels/group_kl.h"

#include <cmath>

#include "kernels/launch.cuh"
#include "kernels/softmax.h"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kRows = kThreads / kWarp;  // per block

// The row of the warp, -1 beyond the last.
__device__ int64_t warp_row(int64_t rows) {
  const int64_t row = int64_t{blockIdx.x} * kRows + threadIdx.x / kWarp;
  return row < rows ? row : -1;
}
__device__ int lane_number() { return static_cast<int>(threadIdx.x) % kWarp; }

// Calls f(j) for every row j of i's group, i included, in order; the whole warp does.
template <class F>
__device__ void for_members(const int64_t* groups, int64_t rows, int64_t i, F&& f) {
  const int64_t id = groups[i];
  const int lane = lane_number();
  for (int64_t first = 0; first < rows; first += kWarp) {
    const bool member = first + lane < rows && groups[first + lane] == id;
    for (unsigned found = __ballot_sync(kAllLanes, member); found != 0; found &= found - 1)
      f(first + __ffs(static_cast<int>(found)) - 1);
  }
}

// Rows, labels' distributions (null: all weights are 1) and log-probabilities.
template <class T>
struct Groups {
  const int64_t* ids;
  const T* targets;
  const T* logp;
  int64_t rows, columns;

  // w_ij, in every lane.
  __device__ T weight(int64_t i, int64_t j) const {
    if (!targets) return 1;
    T overlap = 0;
    for (int64_t c = lane_number(); c < columns; c += kWarp) {
      const T a = targets[i * columns + c], b = targets[j * columns + c];
      overlap += b < a ? b : a;
    }
    return warp_sum(overlap);
  }
};

// log_mean (rows, columns) = log pbar, total (rows) = sum_j w_ij; `sums` (rows, columns) is
// scratch. Where kl is given, also kl and anchor. Bounds of one block a multiprocessor: aiming at
// more, ptxas spills on sm_100.
template <class T>
__global__ void __launch_bounds__(kThreads, 1)
    anchor_kernel(Groups<T> groups, T* log_mean, T* sums, T* total, T* kl, T* anchor) {
  const int64_t i = warp_row(groups.rows), columns = groups.columns;
  if (i < 0) return;
  const int lane = lane_number();
  T *top = log_mean + i * columns, *sum = sums + i * columns;
  const T* own = groups.logp + i * columns;
  for (int64_t c = lane; c < columns; c += kWarp) top[c] = -INFINITY, sum[c] = 0;
  T weights = 0;
  for_members(groups.ids, groups.rows, i, [&](int64_t j) {
    const T w = groups.weight(i, j);
    weights += w;
    if (!(w > 0)) return;
    const T* logp = groups.logp + j * columns;
    for (int64_t c = lane; c < columns; c += kWarp) {
      const T value = logp[c], before = top[c];
      if (value == -INFINITY) continue;
      // NaN fails the comparison and enters the sum.
      const T now = value > before ? value : before;
      sum[c] = sum[c] * exp(before - now) + w * exp(value - now);
      top[c] = now;
    }
  });
  // A row without any label mass pairs with itself alone.
  const bool alone = !(weights > 0);
  const T log_weights = log(weights);
  T loss = 0;
  for (int64_t c = lane; c < columns; c += kWarp) {
    const T s = sum[c];
    const T log_p = alone ? own[c] : s == 0 ? top[c] : top[c] + (log(s) - log_weights);
    top[c] = log_p;
    if (!kl) continue;
    const T pbar = exp(log_p);
    anchor[i * columns + c] = pbar;
    if (!(pbar == 0)) loss += pbar * (log_p - own[c]);  // NaN included
  }
  if (kl) {
    loss = warp_sum(loss);
    if (lane == 0) kl[i] = loss < 0 ? T(0) : loss;  // rounding may fall below 0; NaN stays
  }
  if (total && lane == 0) total[i] = alone ? T(0) : weights;
}

// dlogits; with kThroughAnchor also the gradient that reaches row i through the anchors of its
// group, whose sums a_i stand in dlogits meanwhile.
template <class T, bool kThroughAnchor>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(Groups<T> groups, const T* g, const T* log_mean, const T* total, T* dlogits) {
  const int64_t i = warp_row(groups.rows), columns = groups.columns;
  if (i < 0) return;
  const int lane = lane_number();
  const T* own = groups.logp + i * columns;
  const T* own_mean = log_mean + i * columns;
  T* out = dlogits + i * columns;
  T dot = 0;
  if constexpr (kThroughAnchor) {
    for (int64_t c = lane; c < columns; c += kWarp) out[c] = 0;
    for_members(groups.ids, groups.rows, i, [&](int64_t j) {
      // W_ji: weights are symmetric but for the row's total. A row that is alone has total 0.
      const T all = total[j];
      const T w = groups.weight(j, i);
      const T weight = g[j] * (all > 0 ? w / all : T(i == j));
      if (weight == 0) return;
      const T *mean = log_mean + j * columns, *logp = groups.logp + j * columns;
      for (int64_t c = lane; c < columns; c += kWarp) out[c] += weight * (mean[c] - logp[c]);
    });
    for (int64_t c = lane; c < columns; c += kWarp) dot += exp(own[c]) * out[c];
    dot = warp_sum(dot);
  }
  const T scale = g[i];
  for (int64_t c = lane; c < columns; c += kWarp) {
    const T p = exp(own[c]);
    T value = scale * (p - exp(own_mean[c]));
    if constexpr (kThroughAnchor) value += p * (out[c] - dot);
    out[c] = value;
  }
}

// Four columns a lane at a time: the ids are walked once per 128 columns.
template <class T>
__global__ void __launch_bounds__(kThreads)
    mean_kernel(const T* x, const int64_t* groups, T* mean, int64_t rows, int64_t columns) {
  constexpr int kColumns = 4;
  const int64_t i = warp_row(rows);
  if (i < 0) return;
  for (int64_t first = lane_number(); first < columns + lane_number(); first += kColumns * kWarp) {
    T sum[kColumns] = {};
    int64_t count = 0;
    for_members(groups, rows, i, [&](int64_t j) {
      ++count;
      for (int k = 0; k < kColumns; ++k)
        if (first + k * kWarp < columns) sum[k] += x[j * columns + first + k * kWarp];
    });
    for (int k = 0; k < kColumns; ++k)
      if (first + k * kWarp < columns)
        mean[i * columns + first + k * kWarp] = sum[k] / static_cast<T>(count);
  }
}

template <class T>
const T* optional(const View& view) {
  return view.defined() ? view.as<T>() : nullptr;
}

// The workspace: log-probabilities, log pbar and scratch (rows, columns) each, totals (rows).
template <class T>
struct Scratch {
  View logp;
  T *log_mean, *sums, *total;
  Scratch(CudaContext& ctx, const View& logits) : logp(logits) {
    const int64_t rows = logits.shape[0], size = logits.numel();
    T* memory = static_cast<T*>(ctx.workspace((3 * size + rows) * int64_t{sizeof(T)}));
    logp.data = memory;
    log_mean = memory + size;
    sums = log_mean + size;
    total = sums + size;
  }
};

template <class T>
Groups<T> find_anchors(CudaContext& ctx, const View& logits, const View& groups,
                       const View& targets, const Scratch<T>& scratch, T* kl, T* anchor) {
  log_softmax_forward(ctx, logits, scratch.logp);
  const Groups<T> state{groups.as<int64_t>(), optional<T>(targets), scratch.logp.template as<T>(),
                        logits.shape[0], logits.shape[1]};
  launch(ctx, "group_anchor", anchor_kernel<T>,
         {.grid = divide_up(state.rows, kRows), .block = kThreads}, state, scratch.log_mean,
         scratch.sums, scratch.total, kl, anchor);
  return state;
}

}  // namespace

void group_kl_forward(CudaContext& ctx, const View& logits, const View& groups, const View& targets,
                      const View& kl, const View& anchor) {
  if (logits.numel() == 0) return;
  on_float(logits.dtype, "group_kl", [&]<class T>(T) {
    const Scratch<T> scratch(ctx, logits);
    find_anchors<T>(ctx, logits, groups, targets, scratch, kl.as<T>(), anchor.as<T>());
  });
}

void group_kl_backward(CudaContext& ctx, const View& g, const View& logits, const View& groups,
                       const View& targets, bool anchor_grad, const View& dlogits) {
  if (logits.numel() == 0) return;
  on_float(logits.dtype, "group_kl", [&]<class T>(T) {
    const Scratch<T> scratch(ctx, logits);
    const Groups<T> state =
        find_anchors<T>(ctx, logits, groups, targets, scratch, nullptr, nullptr);
    launch(ctx, "group_kl_backward",
           anchor_grad ? backward_kernel<T, true> : backward_kernel<T, false>,
           {.grid = divide_up(state.rows, kRows), .block = kThreads}, state, g.as<T>(),
           scratch.log_mean, scratch.total, dlogits.as<T>());
  });
}

void group_mean(CudaContext& ctx, const View& x, const View& groups, const View& mean) {
  if (x.numel() == 0) return;
  on_float(x.dtype, "group_mean", [&]<class T>(T) {
    const int64_t columns = x.shape.back(), rows = x.numel() / columns;
    launch(ctx, "group_mean", mean_kernel<T>, {.grid = divide_up(rows, kRows), .block = kThreads},
           x.as<T>(), groups.as<int64_t>(), mean.as<T>(), rows, columns);
  });
}

}  // namespace ditto::kernels
