// Plan. Every weight, gradient and state is read once and the weight and the state written once,
// the minimum, with no arithmetic to speak of. A network has many small tensors, so one launch
// takes up to 64 of them: their addresses travel in the kernel's arguments, each tensor gets as
// many blocks as it has pieces of 4096 elements, and a block finds its tensor by binary search.
// 16-byte packs where a tensor's operands allow it; a tail of up to 3 elements goes one by one.
// Considered: one launch per tensor (ResNet-20: 65 launches of a few microseconds each for 1 MB of
// weights); a table in device memory (a copy per step, and the buffer must outlive it).
//
// The sum of squares is accumulated in double, as its CPU twin: one partial sum per block, then one
// block adds those up, in a fixed order. Its result is needed on the host, so it synchronises.
#include <array>

#include "core/graph_capture.h"
#include "kernels/launch.cuh"
#include "kernels/optim.h"
#include "kernels/vector.cuh"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kPiece = 4096;
constexpr int kMostTensors = 64;

// Up to kMostTensors tensors, each with N arrays of its size.
template <class T, int N>
struct Table {
  T* data[kMostTensors][N];
  int64_t size[kMostTensors];
  int end[kMostTensors];  // number of the first block after the tensor's
  bool wide[kMostTensors];
  int count = 0;
};

// The tensor of a block and the elements [begin, end) that are the block's.
struct Piece {
  int tensor;
  int64_t begin, end;
  template <class T, int N>
  __device__ explicit Piece(const Table<T, N>& table) {
    const int block = static_cast<int>(blockIdx.x);
    int low = 0, high = table.count - 1;  // the first tensor with block < end
    while (low < high) {
      const int middle = (low + high) / 2;
      if (block < table.end[middle])
        high = middle;
      else
        low = middle + 1;
    }
    tensor = low;
    begin = (block - (low == 0 ? 0 : table.end[low - 1])) * kPiece;
    end = begin + kPiece < table.size[low] ? begin + kPiece : table.size[low];
  }
};

// What is done with the values of an element, one of each array.
template <class Rule>
struct Step;
template <>
struct Step<math::SgdUpdate> {
  static constexpr int arrays = 3;
  static constexpr unsigned writes = 0b101;  // bit n: array n is written back
  math::SgdUpdate rule;
  template <class T>
  __device__ void operator()(T (&v)[3]) const {
    rule.update(v[0], v[1], v[2]);
  }
};
template <>
struct Step<math::AdamUpdate> {
  static constexpr int arrays = 4;
  static constexpr unsigned writes = 0b1101;
  math::AdamUpdate rule;
  template <class T>
  __device__ void operator()(T (&v)[4]) const {
    rule.update(v[0], v[1], v[2], v[3]);
  }
};
template <>
struct Step<math::EmaUpdate> {
  static constexpr int arrays = 2;
  static constexpr unsigned writes = 0b10;
  math::EmaUpdate rule;
  template <class T>
  __device__ void operator()(T (&v)[2]) const {
    rule.update(v[0], v[1]);
  }
};

template <int P, class T, class S, int N>
__device__ void update_pack(const S& step, T* const (&data)[N], int64_t i) {
  Pack<T, P> packs[N];
  for (int n = 0; n < N; ++n) packs[n] = load_pack<P>(data[n] + i);
  for (int k = 0; k < P; ++k) {
    T values[N];
    for (int n = 0; n < N; ++n) values[n] = packs[n].v[k];
    step(values);
    for (int n = 0; n < N; ++n) packs[n].v[k] = values[n];
  }
  for (int n = 0; n < N; ++n)
    if (S::writes >> n & 1u) store_pack(data[n] + i, packs[n]);
}

// Bounds of one block a multiprocessor: aiming at more, ptxas spills on sm_120.
template <class T, class S>
__global__ void __launch_bounds__(kThreads, 1) update_kernel(Table<T, S::arrays> table, S step) {
  constexpr int P = kPack<T>;
  const Piece piece(table);
  T* data[S::arrays];
  for (int n = 0; n < S::arrays; ++n) data[n] = table.data[piece.tensor][n];
  const int thread = static_cast<int>(threadIdx.x);
  int64_t done = piece.begin;
  if (table.wide[piece.tensor]) {
    done += (piece.end - piece.begin) / P * P;
    for (int64_t i = piece.begin + thread * P; i < done; i += kThreads * P)
      update_pack<P>(step, data, i);
  }
  for (int64_t i = done + thread; i < piece.end; i += kThreads) update_pack<1>(step, data, i);
}

template <class T>
__global__ void __launch_bounds__(kThreads) squares_kernel(Table<T, 1> table, double* partial) {
  SHARED_ARRAY(double, scratch, kWarp);
  constexpr int P = kPack<T>;
  const Piece piece(table);
  const T* x = table.data[piece.tensor][0];
  const int thread = static_cast<int>(threadIdx.x);
  int64_t done = piece.begin;
  double sum = 0;
  if (table.wide[piece.tensor]) {
    done += (piece.end - piece.begin) / P * P;
    for (int64_t i = piece.begin + thread * P; i < done; i += kThreads * P) {
      const Pack<T, P> pack = load_pack<P>(x + i);
      for (int k = 0; k < P; ++k) sum += double(pack.v[k]) * double(pack.v[k]);
    }
  }
  for (int64_t i = done + thread; i < piece.end; i += kThreads) sum += double(x[i]) * double(x[i]);
  sum = block_sum(sum, scratch);
  if (thread == 0) partial[blockIdx.x] = sum;
}

// One block: *total = sum of partial[0, n).
__global__ void __launch_bounds__(kThreads)
    total_kernel(const double* partial, int64_t n, double* total) {
  SHARED_ARRAY(double, scratch, kWarp);
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += kThreads) sum += partial[i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) *total = sum;
}

// Fills tables with the tensors whose dtype is T and calls f(table, blocks) whenever one is full.
// views(i) gives the N views of tensor i.
template <class T, int N, class Views, class F>
void for_tables(size_t tensors, Views&& views, F&& f) {
  Table<T, N> table{};
  int blocks = 0;
  const auto flush = [&] {
    if (table.count > 0) f(table, blocks);
    table.count = blocks = 0;
  };
  for (size_t i = 0; i < tensors; ++i) {
    const std::array<View, N> operands = views(i);
    const int64_t size = operands[0].numel();
    if (operands[0].dtype != dtype_of<T> || size == 0) continue;
    const int k = table.count++;
    table.size[k] = size;
    table.wide[k] = true;
    for (int n = 0; n < N; ++n) {
      const View& view = operands[static_cast<size_t>(n)];
      table.data[k][n] = view.as<T>();
      table.wide[k] = table.wide[k] && aligned16(table.data[k][n]);
    }
    table.end[k] = blocks += static_cast<int>(divide_up(size, kPiece));
    if (table.count == kMostTensors) flush();
  }
  flush();
}

// Both dtypes, one after the other; anything else throws.
template <int N, class Views, class F>
void for_all_tables(const char* op, size_t tensors, Views&& views, F&& f) {
  bool has_double = false, has_float = false;
  for (size_t i = 0; i < tensors; ++i)
    on_float(views(i)[0].dtype, op,
             [&]<class T>(T) { (sizeof(T) == sizeof(double) ? has_double : has_float) = true; });
  if (has_float) for_tables<float, N>(tensors, views, f);
  if (has_double) for_tables<double, N>(tensors, views, f);
}

template <class Rule, class Views>
void update(CudaContext& ctx, const char* op, size_t tensors, const Rule& rule, Views&& views) {
  using S = Step<Rule>;
  for_all_tables<S::arrays>(
      op, tensors, views, [&]<class T, int N>(const Table<T, N>& table, int blocks) {
        launch(ctx, op, update_kernel<T, S>, {.grid = blocks, .block = kThreads}, table, S{rule});
      });
}

}  // namespace

void sgd_update(CudaContext& ctx, std::span<const SgdSlot> slots, const math::SgdUpdate& rule) {
  update(ctx, "sgd", slots.size(), rule, [&](size_t i) {
    return std::array{slots[i].weight, slots[i].grad, slots[i].velocity};
  });
}

void adam_update(CudaContext& ctx, std::span<const AdamSlot> slots, const math::AdamUpdate& rule) {
  update(ctx, "adam", slots.size(), rule, [&](size_t i) {
    return std::array{slots[i].weight, slots[i].grad, slots[i].first_moment,
                      slots[i].second_moment};
  });
}

void ema_update(CudaContext& ctx, std::span<const EmaSlot> slots, const math::EmaUpdate& rule) {
  update(ctx, "ema", slots.size(), rule, [&](size_t i) {
    return std::array{slots[i].value, slots[i].average};
  });
}

double sum_of_squares(CudaContext& ctx, std::span<const View> views) {
  refuse_capture("the norm of the gradients", "the host waits for it");
  const auto view = [&](size_t i) { return std::array{views[i]}; };
  int64_t blocks = 0;
  for (const View& v : views) blocks += divide_up(v.numel(), kPiece);
  if (blocks == 0) return 0;
  auto* total = static_cast<double*>(ctx.workspace((blocks + 1) * int64_t{sizeof(double)}));
  double* partial = total + 1;
  for_all_tables<1>("sum_of_squares", views.size(), view,
                    [&]<class T>(const Table<T, 1>& table, int count) {
                      launch(ctx, "sum_of_squares", squares_kernel<T>,
                             {.grid = count, .block = kThreads}, table, partial);
                      partial += count;
                    });
  launch(ctx, "sum_of_squares_total", total_kernel, {.grid = 1, .block = kThreads}, total + 1,
         blocks, total);
  double result = 0;
  cuda_check(cudaMemcpyAsync(&result, total, sizeof(double), cudaMemcpyDeviceToHost, ctx.stream()),
             "cudaMemcpyAsync of the sum of squares");
  ctx.synchronize();
  return result;
}

}  // namespace ditto::kernels
