// Plan. The normalised input of a layer is written to scratch memory once and read by the
// convolution; cuDNN takes nothing else. One scratch buffer serves all layers, so memory stays
// linear in the depth, as on the CPU. Whole batches: a GPU's caches hold no useful part of one.
//
// Bytes of a layer with `in` channels read and k written per pixel, beside the convolution's:
// forward 2 in (normalise) + 3 k (append, statistics); backward 2 in + 3 k (complete, normalise
// again) + 4 in (dy and x read, the gradient of the prefix read and written, sums on the way). All
// kernels walk a prefix of rows that are `stride` apart (kernels/columns.cuh), so packs need `in`
// and the stride divisible by 4; growth rates are (12, 24, 32).
//
// Sums are per piece, finished in double by one block per 8 channels: deterministic. Considered:
// concatenated inputs (the sum of all prefixes in memory and in bytes: quadratic in the depth).
#include "kernels/dense_block.h"

#include "core/storage.h"
#include "kernels/batch_norm.h"
#include "kernels/columns.cuh"
#include "kernels/conv2d.h"

namespace ditto::kernels {
namespace {

constexpr int64_t kMostPieces = 512;

// Sizes of one layer: rows (pixels of all images) of `stride` channels, of which `in` are read and
// k new.
struct Sizes {
  int64_t rows, stride, in, k;
  Shape images;
  int padding;
  Sizes(const View& features, const View& w)
      : rows(features.shape[0] * features.shape[1] * features.shape[2]),
        stride(features.shape[3]),
        in(w.shape[3]),
        k(w.shape[0]),
        images(features.shape),
        padding(static_cast<int>(w.shape[1] / 2)) {
    check(features.is_contiguous() && features.dtype == w.dtype && in + k <= stride &&
              w.shape[1] == w.shape[2] && w.shape[1] % 2 == 1,
          "[dense_block] weight", w.shape, "does not fit features", features.shape);
  }
  View image_view(void* data, Dtype dtype, Device device, int64_t channels) const {
    const Shape shape{images[0], images[1], images[2], channels};
    return {data, dtype, device, shape, contiguous_strides(shape)};
  }
};

template <class T>
struct Norm {
  const T *mean, *invstd, *gamma, *beta;
  explicit Norm(const DenseNorm& norm)
      : mean(norm.mean.as<T>()),
        invstd(norm.invstd.as<T>()),
        gamma(norm.gamma.as<T>()),
        beta(norm.beta.as<T>()) {}
};

// The norm of P channels from `column` on.
template <class T, int P>
struct Affine {
  T mean[P], scale[P], beta[P];
  __device__ Affine(const Norm<T>& norm, int64_t column) {
    for (int k = 0; k < P; ++k) {
      mean[k] = norm.mean[column + k];
      scale[k] = norm.gamma[column + k] * norm.invstd[column + k];
      beta[k] = norm.beta[column + k];
    }
  }
};

// One block a multiprocessor is enough for the compiler: left to itself it aims at more by keeping
// to so few registers that some spill.

// y (rows, in) = relu of the norm of a prefix of each row of x.
template <class T, int P>
__global__ void __launch_bounds__(kColumnThreads, 1)
    normalize_kernel(const T* x, Norm<T> norm, T* y, ColumnPlan plan) {
  const ColumnPlace<P> place(plan, blockIdx.x);
  if (place.begin >= place.end) return;
  const Affine<T, P> affine(norm, place.column);
  for (int64_t r = place.begin; r < place.end; r += plan.height) {
    Pack<T, P> v = load_pack<P>(x + r * plan.stride + place.column);
    for (int k = 0; k < P; ++k) {
      const T value = (v.v[k] - affine.mean[k]) * affine.scale[k] + affine.beta[k];
      v.v[k] = value < T(0) ? T(0) : value;
    }
    store_pack(y + r * plan.columns + place.column, v);
  }
}

// Copies z (rows, k) to the rows of x, `stride` apart.
template <class T, int P>
__global__ void __launch_bounds__(kColumnThreads, 1)
    append_kernel(const T* z, T* x, ColumnPlan plan) {
  const ColumnPlace<P> place(plan, blockIdx.x);
  for (int64_t r = place.begin; r < place.end; r += plan.height)
    store_pack(x + r * plan.stride + place.column,
               load_pack<P>(z + r * plan.columns + place.column));
}

// out (rows, k) = gradient + factor (x - mean) + constant, in double: what is pending nearly
// cancels the mean of the gradient so far, and its own rounding would be the same for all rows,
// which a weight gradient sums up. mean null: nothing is pending.
template <class T, int P>
__global__ void __launch_bounds__(kColumnThreads, 1)
    complete_kernel(const T* x, const T* gradient, const T* mean, const double* factor,
                    const double* constant, T* out, ColumnPlan plan) {
  const ColumnPlace<P> place(plan, blockIdx.x);
  if (place.begin >= place.end) return;
  double m[P], a[P], b[P];
  for (int k = 0; k < P; ++k) {
    m[k] = mean ? double(mean[place.column + k]) : 0.0;
    a[k] = factor[place.column + k];
    b[k] = constant[place.column + k];
  }
  for (int64_t r = place.begin; r < place.end; r += plan.height) {
    const int64_t at = r * plan.stride + place.column;
    const Pack<T, P> v = load_pack<P>(x + at);
    Pack<T, P> g = load_pack<P>(gradient + at);
    for (int k = 0; k < P; ++k)
      g.v[k] = static_cast<T>(double(g.v[k]) + (a[k] * (double(v.v[k]) - m[k]) + b[k]));
    store_pack(out + r * plan.columns + place.column, g);
  }
}

// The backward pass of the norm but for the statistics' share: adds to the gradient of the prefix;
// parts (pieces, 2, in): sum dy and sum dy (x - mean), dy taken through the ReLU.
template <class T, int P>
__global__ void __launch_bounds__(kColumnThreads, 1)
    normalize_backward_kernel(const T* dy, const T* x, T* gradient, Norm<T> norm, T* parts,
                              ColumnPlan plan) {
  SHARED_ARRAY(T, scratch, 2 * P * kColumnThreads);
  const ColumnPlace<P> place(plan, blockIdx.x);
  T sums[2][P] = {};
  if (place.active) {
    const Affine<T, P> affine(norm, place.column);
    for (int64_t r = place.begin; r < place.end; r += plan.height) {
      const int64_t at = r * plan.stride + place.column;
      const Pack<T, P> v = load_pack<P>(x + at);
      const Pack<T, P> g = load_pack<P>(dy + r * plan.columns + place.column);
      Pack<T, P> out = load_pack<P>(gradient + at);
      for (int k = 0; k < P; ++k) {
        const T centred = v.v[k] - affine.mean[k];
        const T through = centred * affine.scale[k] + affine.beta[k] > T(0) ? g.v[k] : T(0);
        out.v[k] += affine.scale[k] * through;
        sums[0][k] += through;
        sums[1][k] += through * centred;
      }
      store_pack(gradient + at, out);
    }
  }
  sum_over_rows(plan, place, sums, scratch);
  if (place.y != 0 || !place.active) return;
  for (int n = 0; n < 2; ++n) {
    Pack<T, P> out;
    for (int k = 0; k < P; ++k) out.v[k] = sums[n][k];
    store_pack(parts + (place.piece * 2 + n) * plan.columns + place.column, out);
  }
}

constexpr int kMergeChannels = 8, kMergeThreads = 32;

// dgamma, dbeta and, in training, what is pending (2, stride) from the parts.
template <class T>
__global__ void __launch_bounds__(kMergeChannels* kMergeThreads)
    finish_backward_kernel(const T* parts, Norm<T> norm, bool training, double* pending, T* dgamma,
                           T* dbeta, ColumnPlan plan) {
  SHARED_ARRAY(double, scratch, 2 * kMergeChannels * kMergeThreads);
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t c = int64_t{blockIdx.x} * kMergeChannels + thread % kMergeChannels;
  const int lane = thread / kMergeChannels;
  double sum = 0, dot = 0;
  if (c < plan.columns)
    for (int64_t p = lane; p < plan.pieces; p += kMergeThreads) {
      sum += double(parts[p * 2 * plan.columns + c]);
      dot += double(parts[(p * 2 + 1) * plan.columns + c]);
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
  if (lane != 0 || c >= plan.columns) return;
  // The scale as the gradient took it, rounding included: the means must cancel.
  const T scale = norm.gamma[c] * norm.invstd[c];
  const double inverse = double(norm.invstd[c]);
  const double n = static_cast<double>(plan.rows > 0 ? plan.rows : 1);
  dgamma[c] = static_cast<T>(dot * inverse);
  dbeta[c] = static_cast<T>(sum);
  if (!training) return;
  pending[c] -= double(scale) * inverse * inverse * dot / n;
  pending[plan.stride + c] -= double(scale) * sum / n;
}

template <class T>
void normalize(CudaContext& ctx, const T* x, const Sizes& s, const Norm<T>& norm, T* y) {
  with_pack<T>(packable<T>(s.in, s.stride, x, y), [&](auto pack) {
    constexpr int P = decltype(pack)::value;
    const ColumnPlan plan(s.rows, s.in, s.stride, P, 4, s.rows);
    launch(ctx, "dense_normalize", normalize_kernel<T, P>,
           {.grid = plan.blocks(), .block = kColumnThreads}, x, norm, y, plan);
  });
}

// The complete gradient of channels [begin, begin + k).
template <class T>
void complete(CudaContext& ctx, const T* x, const T* gradient, const T* mean, const double* pending,
              int64_t rows, int64_t stride, int64_t begin, int64_t k, T* out) {
  const T *from = x + begin, *grad = gradient + begin;
  with_pack<T>(packable<T>(k, stride, from, grad, out), [&](auto pack) {
    constexpr int P = decltype(pack)::value;
    const ColumnPlan plan(rows, k, stride, P, 4, rows);
    launch(ctx, "dense_complete", complete_kernel<T, P>,
           {.grid = plan.blocks(), .block = kColumnThreads}, from, grad, mean, pending + begin,
           pending + stride + begin, out, plan);
  });
}

}  // namespace

void dense_layer_forward(CudaContext& ctx, const View& features, const DenseNorm& norm,
                         const View& w, const View& mean, const View& variance) {
  on_float(features.dtype, "dense_block", [&]<class T>(T) {
    const Sizes s(features, w);
    T* x = features.as<T>();
    // Storage, not the workspace: the convolution uses that.
    const Storage memory(s.rows * (s.in + s.k) * int64_t{sizeof(T)}, features.device);
    T *y = static_cast<T*>(memory.data()), *z = y + s.rows * s.in;
    normalize(ctx, x, s, Norm<T>(norm), y);
    const View new_channels = s.image_view(z, w.dtype, features.device, s.k);
    conv2d_forward(ctx, s.image_view(y, w.dtype, features.device, s.in), w, View{}, new_channels,
                   {.padding = s.padding});
    with_pack<T>(packable<T>(s.k, s.stride, z, x + s.in), [&](auto pack) {
      constexpr int P = decltype(pack)::value;
      const ColumnPlan plan(s.rows, s.k, s.stride, P, 4, s.rows);
      launch(ctx, "dense_append", append_kernel<T, P>,
             {.grid = plan.blocks(), .block = kColumnThreads}, z, x + s.in, plan);
    });
    if (mean.defined()) batch_norm_statistics(ctx, new_channels, mean, variance);
  });
}

void dense_layer_backward(CudaContext& ctx, const View& features, const View& gradient,
                          const DenseNorm& norm, const View& w, bool training, const View& pending,
                          const View& dgamma, const View& dbeta, const View& dw) {
  on_float(features.dtype, "dense_block", [&]<class T>(T) {
    const Sizes s(features, w);
    const Norm<T> affine(norm);
    const T* x = features.as<T>();
    T* grad = gradient.as<T>();
    double* waiting = pending.as<double>();
    const Storage memory(s.rows * (s.in + s.k) * int64_t{sizeof(T)}, features.device);
    T *y = static_cast<T*>(memory.data()), *dz = y + s.rows * s.in;
    // In evaluation nothing is pending, and the mean has no entries for the new channels.
    complete(ctx, x, grad, training ? affine.mean + s.in : nullptr, waiting, s.rows, s.stride, s.in,
             s.k, dz);
    normalize(ctx, x, s, affine, y);
    const View y_view = s.image_view(y, w.dtype, features.device, s.in);
    const View dz_view = s.image_view(dz, w.dtype, features.device, s.k);
    conv2d_backward_weights(ctx, dz_view, y_view, dw, View{}, {.padding = s.padding});
    // The normalised input is done with: its place takes its gradient.
    conv2d_backward_data(ctx, dz_view, w, y_view, {.padding = s.padding});
    with_pack<T>(packable<T>(s.in, s.stride, x, grad, y), [&](auto pack) {
      constexpr int P = decltype(pack)::value;
      const ColumnPlan plan(s.rows, s.in, s.stride, P, 4, kMostPieces);
      T* parts = static_cast<T*>(ctx.workspace(plan.pieces * 2 * s.in * int64_t{sizeof(T)}));
      launch(ctx, "dense_normalize_backward", normalize_backward_kernel<T, P>,
             {.grid = plan.blocks(), .block = kColumnThreads}, y, x, grad, affine, parts, plan);
      launch(ctx, "dense_finish_backward", finish_backward_kernel<T>,
             {.grid = divide_up(s.in, kMergeChannels), .block = kMergeChannels * kMergeThreads},
             parts, affine, training, waiting, dgamma.as<T>(), dbeta.as<T>(), plan);
    });
  });
}

void dense_block_input_gradient(CudaContext& ctx, const View& features, const View& gradient,
                                const View& mean, const View& pending, const View& dx) {
  on_float(features.dtype, "dense_block", [&]<class T>(T) {
    const int64_t k = dx.shape[3];
    complete(ctx, static_cast<const T*>(features.as<T>()), static_cast<const T*>(gradient.as<T>()),
             static_cast<const T*>(mean.as<T>()), pending.as<double>(), dx.numel() / k,
             features.shape[3], 0, k, dx.as<T>());
  });
}

}  // namespace ditto::kernels
