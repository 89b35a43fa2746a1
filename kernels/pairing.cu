// Plan. A block per image: N <= 100 boxes and m <= 8 replicas are tens of thousands of comparisons,
// nothing beside the network that made the boxes; the point of the kernel is that no box has to
// come to the host, which would make it wait. The bound is latency.
//
// Mapping: a thread per row (a box of a, or a cluster) keeps the row's best free column. Each round
// takes the best row of the block (a reduction by rank, then index) and only rows whose column was
// taken look again; at most min(rows, columns) rounds. The order of equal ranks is that of the
// CPU's sort. Considered: the matrix of all ranks in shared memory (limits N; a rank takes a dozen
// operations to compute again).
#include "core/graph_capture.h"
#include "kernels/launch.cuh"
#include "kernels/pairing_math.h"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 128;

// Working memory of an image: per row its best free column, per column its row.
struct Scratch {
  double* rank;
  int32_t *column, *row_of;
};

struct Best {
  double rank;
  int32_t row;
};
__device__ bool better(const Best& a, const Best& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.row < b.row;
}

// The best of all threads, for all of them.
__device__ Best block_best(Best best, Best* shared) {
  shared[threadIdx.x] = best;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half && better(shared[threadIdx.x + half], shared[threadIdx.x]))
      shared[threadIdx.x] = shared[threadIdx.x + half];
    __syncthreads();
  }
  best = shared[0];
  __syncthreads();
  return best;
}

// row_of[j] of the greedy pairing, -1 for columns without. All threads of the block call it.
template <class RowOf, class ColumnOf>
__device__ void greedy(int rows, int columns, const PairingOptions& options, const Scratch& scratch,
                       Best* shared, RowOf&& row_at, ColumnOf&& column_at) {
  const int thread = static_cast<int>(threadIdx.x);
  for (int j = thread; j < columns; j += kThreads) scratch.row_of[j] = -1;
  for (int i = thread; i < rows; i += kThreads) scratch.column[i] = -1;
  __syncthreads();
  int32_t taken = -1;  // rows whose best column this is look for another: at first, all
  while (true) {
    Best best{-HUGE_VAL, INT32_MAX};
#pragma unroll 1  // unrolled, the barrier registers of the branches spill
    for (int i = thread; i < rows; i += kThreads) {
      if (scratch.column[i] == taken) {
        const PairingBox row = row_at(i);
        double most_similar = -HUGE_VAL;
        int32_t column = -1;
#pragma unroll 1
        for (int j = 0; j < columns; ++j) {
          if (scratch.row_of[j] >= 0) continue;
          const double rank = pair_rank(row, column_at(j), options);
          if (rank > most_similar) most_similar = rank, column = j;
        }
        scratch.rank[i] = most_similar, scratch.column[i] = column;
      }
      const Best mine{scratch.rank[i], i};
      if (better(mine, best)) best = mine;
    }
    best = block_best(best, shared);
    if (!(best.rank > -HUGE_VAL)) return;
    taken = scratch.column[best.row];
    __syncthreads();
    if (thread == 0) {
      scratch.row_of[taken] = best.row;
      scratch.rank[best.row] = -HUGE_VAL, scratch.column[best.row] = -1;
    }
    __syncthreads();
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    pair_kernel(PairingTable<T> a, PairingTable<T> b, PairingOptions options, double* ranks,
                int32_t* columns, int32_t* rows, int32_t* match) {
  SHARED_ARRAY(Best, shared, kThreads);
  SHARED_ARRAY(bool, agree, 1);
  const auto image = static_cast<int64_t>(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) agree[0] = areas_agree(a.area(image), b.area(image), options);
  int32_t* out = match + image * a.capacity;
  for (int i = thread; i < a.capacity; i += kThreads) out[i] = -1;
  __syncthreads();
  const Scratch scratch{ranks + image * a.capacity, columns + image * a.capacity,
                        rows + image * b.capacity};
  const int count = static_cast<int>(b.count(image));
  greedy(
      agree[0] ? static_cast<int>(a.count(image)) : 0, count, options, scratch, shared,
      [&](int i) { return a.get(image, i); }, [&](int j) { return b.get(image, j); });
  for (int j = thread; j < count; j += kThreads)
    if (scratch.row_of[j] >= 0) out[scratch.row_of[j]] = j;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    star_kernel(PairingTable<T> table, int m, PairingOptions options, double* ranks,
                int32_t* columns, PairingCluster* memory, int32_t* cluster, int32_t* clusters) {
  SHARED_ARRAY(Best, shared, kThreads);
  SHARED_ARRAY(int, open, 1);          // clusters so far
  SHARED_ARRAY(double, reference, 1);  // area of the first replica that has one
  SHARED_ARRAY(bool, agree, 1);
  const auto image = static_cast<int64_t>(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t room = m * table.capacity;
  PairingCluster* all = memory + image * room;
  if (thread == 0) open[0] = 0, reference[0] = 0;
  for (int k = 0; k < m; ++k) {
    const int64_t replica = image * m + k;
    int32_t* out = cluster + replica * table.capacity;
    const int count = static_cast<int>(table.count(replica));
    if (thread == 0) {
      const double area = table.area(replica);
      if (reference[0] == 0) reference[0] = area;
      agree[0] = areas_agree(reference[0], area, options);
    }
    for (int j = count + thread; j < table.capacity; j += kThreads) out[j] = -1;
    __syncthreads();
    const Scratch scratch{ranks + image * room, columns + image * room, out};
    greedy(
        agree[0] ? open[0] : 0, count, options, scratch, shared,
        [&](int c) { return all[c].mean(); }, [&](int j) { return table.get(replica, j); });
    __syncthreads();
    // A cluster has one box of this replica at most, so no two threads meet.
    for (int j = thread; j < count; j += kThreads)
      if (out[j] >= 0) all[out[j]].add(table.get(replica, j));
    __syncthreads();
    if (thread == 0)
      for (int j = 0; j < count; ++j)
        if (out[j] < 0) {
          all[open[0]] = PairingCluster::open(table.get(replica, j));
          out[j] = open[0]++;
        }
    __syncthreads();
  }
  if (thread == 0) clusters[image] = open[0];
}

// Parts of the context's workspace, one after another.
class Workspace {
 public:
  template <class T>
  size_t add(int64_t count) {
    const size_t at = bytes_;
    bytes_ += (static_cast<size_t>(count) * sizeof(T) + 15) / 16 * 16;
    return at;
  }
  char* get(CudaContext& ctx) const { return static_cast<char*>(ctx.workspace(bytes_)); }

 private:
  size_t bytes_ = 0;
};

template <class T>
void pair_as(CudaContext& ctx, const PairingBoxes& a, const PairingBoxes& b,
             const PairingOptions& options, const View& match) {
  const int64_t batch = match.shape[0], rows = batch * a.boxes.shape[1];
  Workspace parts;
  const size_t ranks = parts.add<double>(rows), columns = parts.add<int32_t>(rows),
               row_of = parts.add<int32_t>(batch * b.boxes.shape[1]);
  char* memory = parts.get(ctx);
  launch(ctx, "pair_boxes", pair_kernel<T>, {.grid = batch, .block = kThreads}, PairingTable<T>(a),
         PairingTable<T>(b), options, reinterpret_cast<double*>(memory + ranks),
         reinterpret_cast<int32_t*>(memory + columns), reinterpret_cast<int32_t*>(memory + row_of),
         match.as<int32_t>());
}

template <class T>
void align_as(CudaContext& ctx, const PairingBoxes& replicas, int64_t m,
              const PairingOptions& options, const View& cluster, const View& clusters) {
  const int64_t room = replicas.boxes.shape[0] * replicas.boxes.shape[1];
  Workspace parts;
  const size_t ranks = parts.add<double>(room), columns = parts.add<int32_t>(room),
               all = parts.add<PairingCluster>(room);
  char* memory = parts.get(ctx);
  launch(ctx, "align_star", star_kernel<T>, {.grid = clusters.shape[0], .block = kThreads},
         PairingTable<T>(replicas), static_cast<int>(m), options,
         reinterpret_cast<double*>(memory + ranks), reinterpret_cast<int32_t*>(memory + columns),
         reinterpret_cast<PairingCluster*>(memory + all), cluster.as<int32_t>(),
         clusters.as<int32_t>());
}

}  // namespace

void pair_boxes(CudaContext& ctx, const PairingBoxes& a, const PairingBoxes& b,
                const PairingOptions& options, const View& match) {
  check_pair_boxes(a, b, options, match);
  if (match.numel() == 0) return;
  if (a.boxes.dtype == Dtype::F32)
    pair_as<float>(ctx, a, b, options, match);
  else
    pair_as<double>(ctx, a, b, options, match);
}

void align_star(CudaContext& ctx, const PairingBoxes& replicas, int64_t m,
                const PairingOptions& options, const View& cluster, const View& clusters) {
  check_align_star(replicas, m, options, cluster, clusters);
  if (clusters.numel() == 0) return;
  if (replicas.boxes.dtype == Dtype::F32)
    align_as<float>(ctx, replicas, m, options, cluster, clusters);
  else
    align_as<double>(ctx, replicas, m, options, cluster, clusters);
}

}  // namespace ditto::kernels
