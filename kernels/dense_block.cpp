#include "kernels/dense_block.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/pool.h"
#include "core/storage.h"
#include "kernels/conv2d.h"

namespace ditto::kernels {
namespace {

// A layer's normalised input for one step of a thread: half of a usual L2 cache.
constexpr int64_t kScratchBytes = 1 << 20;

// Sizes of one layer. A row is a pixel: `stride` channels, of which `in` are read and `k` new.
struct Sizes {
  int64_t images, height, width, stride, in, k;
  Sizes(const View& features, const View& w)
      : images(features.shape[0]),
        height(features.shape[1]),
        width(features.shape[2]),
        stride(features.shape[3]),
        in(w.shape[3]),
        k(w.shape[0]) {
    check(features.is_contiguous() && features.dtype == w.dtype && in + k <= stride &&
              w.shape[1] == w.shape[2] && w.shape[1] % 2 == 1,
          "[dense_block] weight", w.shape, "does not fit features", features.shape);
  }
  int64_t pixels() const { return height * width; }
};

View dense_view(void* data, Dtype dtype, const Shape& shape) {
  return {data, dtype, kCpu, shape, contiguous_strides(shape)};
}

// Cuts the images into one range per thread, and each range into steps whose scratch fits the
// cache: the largest divisor of the range, so that one compiled convolution serves them all.
// f(piece, first image, images) runs on one thread per piece.
struct Steps {
  int64_t images, pieces, size;
  Steps(const CpuContext& ctx, int64_t images, int64_t bytes_per_image)
      : images(images), pieces(std::clamp<int64_t>(ctx.threads, 1, std::max<int64_t>(1, images))) {
    const int64_t range = std::max<int64_t>(1, images / pieces);
    size = std::clamp<int64_t>(kScratchBytes / std::max<int64_t>(1, bytes_per_image), 1, range);
    while (range % size != 0) --size;
  }
  int64_t first(int64_t piece) const { return images * piece / pieces; }
  int64_t last(int64_t piece) const { return images * (piece + 1) / pieces; }
  // Steps before this piece.
  int64_t steps_before(int64_t piece) const {
    int64_t count = 0;
    for (int64_t p = 0; p < piece; ++p) count += (last(p) - first(p) + size - 1) / size;
    return count;
  }
  template <class F>
  void run(const CpuContext& ctx, F&& f) const {
    parallel_for(ctx, pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t piece = begin; piece < end; ++piece) f(piece);
    });
  }
};

// Scale and shift as arrays of T.
template <class T>
struct Affine {
  const T *mean, *beta;
  PoolVector<T> scale;
  Affine(const DenseNorm& norm, int64_t in)
      : mean(norm.mean.as<T>()), beta(norm.beta.as<T>()), scale(static_cast<size_t>(in)) {
    const T *gamma = norm.gamma.as<T>(), *invstd = norm.invstd.as<T>();
    for (int64_t c = 0; c < in; ++c) scale[c] = gamma[c] * invstd[c];
  }
};

// y (rows, in) = relu of the norm of a prefix of each row.
template <class T>
void normalize(const T* __restrict x, int64_t rows, int64_t stride, int64_t in,
               const Affine<T>& affine, T* __restrict y) {
  const T *mean = affine.mean, *scale = affine.scale.data(), *beta = affine.beta;
  for (int64_t r = 0; r < rows; ++r) {
    const T* from = x + r * stride;
    T* to = y + r * in;
    for (int64_t c = 0; c < in; ++c) {
      const T v = (from[c] - mean[c]) * scale[c] + beta[c];
      to[c] = v < T(0) ? T(0) : v;
    }
  }
}

// Copies z (rows, k) into the rows of x, and its mean and sum of squared deviations per channel.
template <class T>
void append(const T* __restrict z, int64_t rows, int64_t k, T* __restrict x, int64_t stride,
            double* __restrict mean, double* __restrict m2) {
  std::fill(mean, mean + k, 0.0);
  std::fill(m2, m2 + k, 0.0);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < k; ++c) {
      const T v = z[r * k + c];
      x[r * stride + c] = v;
      mean[c] += double(v);
    }
  for (int64_t c = 0; c < k; ++c) mean[c] /= static_cast<double>(rows);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < k; ++c) {
      const double d = double(z[r * k + c]) - mean[c];
      m2[c] += d * d;
    }
}

// The backward pass of the norm over some rows, but for the statistics' share: adds to the gradient
// of the prefix, and to sum dy and sum dy (x - mean), dy taken through the ReLU. In tiles, whose
// f32 sums move on to the double ones before they collect many terms.
template <class T>
void normalize_backward(const T* __restrict dy, const T* __restrict x, T* __restrict gradient,
                        int64_t rows, int64_t stride, int64_t in, const Affine<T>& affine,
                        double* sum, double* dot) {
  constexpr int64_t kRows = 16, kChannels = 64;
  for (int64_t first = 0; first < rows; first += kRows)
    for (int64_t tile = 0; tile < in; tile += kChannels) {
      const int64_t last = std::min(rows, first + kRows), width = std::min(kChannels, in - tile);
      const T* __restrict mean = affine.mean + tile;
      const T* __restrict scale = affine.scale.data() + tile;
      const T* __restrict beta = affine.beta + tile;
      T part_sum[kChannels] = {}, part_dot[kChannels] = {};
      for (int64_t r = first; r < last; ++r) {
        const T *from = x + r * stride + tile, *grad = dy + r * in + tile;
        T* to = gradient + r * stride + tile;
        for (int64_t c = 0; c < width; ++c) {
          const T centred = from[c] - mean[c], g = grad[c];
          const T through = centred * scale[c] + beta[c] > T(0) ? g : T(0);
          to[c] += scale[c] * through;
          part_sum[c] += through;
          part_dot[c] += through * centred;
        }
      }
      for (int64_t c = 0; c < width; ++c) {
        sum[tile + c] += double(part_sum[c]);
        dot[tile + c] += double(part_dot[c]);
      }
    }
}

// The complete gradient of channels [begin, begin + k) of some rows, (rows, k). In double: what is
// pending nearly cancels the mean of the gradient so far, and its own rounding would be the same
// for all rows, which a weight gradient sums up.
template <class T>
void complete(const T* __restrict x, const T* __restrict gradient, int64_t rows, int64_t stride,
              int64_t begin, int64_t k, const T* __restrict mean, const double* __restrict pending,
              int64_t channels, T* __restrict out) {
  const double *factor = pending + begin, *constant = factor + channels;
  for (int64_t r = 0; r < rows; ++r) {
    const T *from = x + r * stride + begin, *grad = gradient + r * stride + begin;
    for (int64_t c = 0; c < k; ++c)
      out[r * k + c] = static_cast<T>(
          double(grad[c]) + (factor[c] * (double(from[c]) - double(mean[c])) + constant[c]));
  }
}

}  // namespace

void dense_layer_forward(CpuContext& ctx, const View& features, const DenseNorm& norm,
                         const View& w, const View& mean, const View& variance) {
  on_float(features.dtype, "dense_block", [&]<class T>(T) {
    const Sizes s(features, w);
    const Affine<T> affine(norm, s.in);
    const int64_t scratch = s.in + s.k;  // elements per pixel
    const Steps steps(ctx, s.images, s.pixels() * scratch * int64_t{sizeof(T)});
    PoolVector<double> moments(static_cast<size_t>(steps.steps_before(steps.pieces) * 2 * s.k));
    PoolVector<double> counts(static_cast<size_t>(steps.steps_before(steps.pieces)));
    const Storage memory(steps.pieces * steps.size * s.pixels() * scratch * int64_t{sizeof(T)},
                         kCpu);
    const int padding = static_cast<int>(w.shape[1] / 2);
    steps.run(ctx, [&](int64_t piece) {
      CpuContext serial{.threads = 1};
      T* y = static_cast<T*>(memory.data()) + piece * steps.size * s.pixels() * scratch;
      T* z = y + steps.size * s.pixels() * s.in;
      int64_t step = steps.steps_before(piece);
      for (int64_t image = steps.first(piece); image < steps.last(piece); image += steps.size) {
        const int64_t n = std::min(steps.size, steps.last(piece) - image), rows = n * s.pixels();
        T* x = features.as<T>() + image * s.pixels() * s.stride;
        normalize(x, rows, s.stride, s.in, affine, y);
        conv2d_forward(serial, dense_view(y, w.dtype, {n, s.height, s.width, s.in}), w, View{},
                       dense_view(z, w.dtype, {n, s.height, s.width, s.k}), {.padding = padding});
        double* moment = moments.data() + step * 2 * s.k;
        append(z, rows, s.k, x + s.in, s.stride, moment, moment + s.k);
        counts[step++] = static_cast<double>(rows);
      }
    });
    if (!mean.defined()) return;
    // Chan, Golub, LeVeque 1983.
    for (int64_t c = 0; c < s.k; ++c) {
      struct {
        double n = 0, mean = 0, m2 = 0;
      } total;
      for (size_t step = 0; step < counts.size(); ++step) {
        const double size = counts[step], delta = moments[step * 2 * s.k + c] - total.mean;
        total.m2 +=
            moments[step * 2 * s.k + s.k + c] + delta * delta * total.n * size / (total.n + size);
        total.mean += delta * size / (total.n + size);
        total.n += size;
      }
      mean.as<T>()[c] = static_cast<T>(total.mean);
      variance.as<T>()[c] = static_cast<T>(total.n > 0 ? total.m2 / total.n : 0.0);
    }
  });
}

void dense_layer_backward(CpuContext& ctx, const View& features, const View& gradient,
                          const DenseNorm& norm, const View& w, bool training, const View& pending,
                          const View& dgamma, const View& dbeta, const View& dw) {
  on_float(features.dtype, "dense_block", [&]<class T>(T) {
    const Sizes s(features, w);
    const Affine<T> affine(norm, s.in);
    const int64_t scratch = s.in + s.k, weights = w.numel();
    const Steps steps(ctx, s.images, s.pixels() * scratch * int64_t{sizeof(T)});
    double* waiting = pending.as<double>();
    // Per piece: sums of the norm's gradients, and the weights' gradient.
    PoolVector<double> sums(static_cast<size_t>(steps.pieces * 2 * s.in));
    const Storage partial_dw(steps.pieces * 2 * weights * int64_t{sizeof(T)}, kCpu);
    const Storage memory(steps.pieces * steps.size * s.pixels() * scratch * int64_t{sizeof(T)},
                         kCpu);
    const int padding = static_cast<int>(w.shape[1] / 2);
    // In evaluation nothing is pending, and the mean has no entries for the new channels.
    PoolVector<T> no_mean(training ? 0 : static_cast<size_t>(s.k));
    const T* new_mean = training ? affine.mean + s.in : no_mean.data();
    steps.run(ctx, [&](int64_t piece) {
      CpuContext serial{.threads = 1};
      T* y = static_cast<T*>(memory.data()) + piece * steps.size * s.pixels() * scratch;
      T* dz = y + steps.size * s.pixels() * s.in;
      T* total_dw = static_cast<T*>(partial_dw.data()) + piece * 2 * weights;
      T* step_dw = total_dw + weights;
      std::fill(total_dw, total_dw + weights, T(0));
      double* sum = sums.data() + piece * 2 * s.in;
      for (int64_t image = steps.first(piece); image < steps.last(piece); image += steps.size) {
        const int64_t n = std::min(steps.size, steps.last(piece) - image), rows = n * s.pixels();
        const T* x = features.as<T>() + image * s.pixels() * s.stride;
        T* grad = gradient.as<T>() + image * s.pixels() * s.stride;
        complete(x, grad, rows, s.stride, s.in, s.k, new_mean, waiting, s.stride, dz);
        normalize(x, rows, s.stride, s.in, affine, y);
        const View y_view = dense_view(y, w.dtype, {n, s.height, s.width, s.in});
        const View dz_view = dense_view(dz, w.dtype, {n, s.height, s.width, s.k});
        conv2d_backward_weights(serial, dz_view, y_view, dense_view(step_dw, w.dtype, w.shape),
                                View{}, {.padding = padding});
        for (int64_t i = 0; i < weights; ++i) total_dw[i] += step_dw[i];
        // The normalised input is done with: its place takes its gradient.
        conv2d_backward_data(serial, dz_view, w, y_view, {.padding = padding});
        normalize_backward(y, x, grad, rows, s.stride, s.in, affine, sum, sum + s.in);
      }
    });
    T* to = dw.as<T>();
    std::fill(to, to + weights, T(0));
    for (int64_t piece = 0; piece < steps.pieces; ++piece) {
      const T* from = static_cast<const T*>(partial_dw.data()) + piece * 2 * weights;
      for (int64_t i = 0; i < weights; ++i) to[i] += from[i];
    }
    const double n = static_cast<double>(std::max<int64_t>(1, s.images * s.pixels()));
    for (int64_t c = 0; c < s.in; ++c) {
      double sum = 0, dot = 0;
      for (int64_t piece = 0; piece < steps.pieces; ++piece) {
        sum += sums[piece * 2 * s.in + c];
        dot += sums[piece * 2 * s.in + s.in + c];
      }
      // The scale as the gradient took it, rounding included: the means must cancel.
      const double inverse = norm.invstd.as<T>()[c], scale = affine.scale[c];
      dgamma.as<T>()[c] = static_cast<T>(dot * inverse);
      dbeta.as<T>()[c] = static_cast<T>(sum);
      if (!training) continue;
      waiting[c] -= scale * inverse * inverse * dot / n;
      waiting[s.stride + c] -= scale * sum / n;
    }
  });
}

void dense_block_input_gradient(CpuContext& ctx, const View& features, const View& gradient,
                                const View& mean, const View& pending, const View& dx) {
  on_float(features.dtype, "dense_block", [&]<class T>(T) {
    const int64_t stride = features.shape[3], k = dx.shape[3], rows = dx.numel() / k;
    parallel_for(ctx, rows, 1024, [&](int64_t begin, int64_t end) {
      complete(features.as<T>() + begin * stride, gradient.as<T>() + begin * stride, end - begin,
               stride, 0, k, mean.as<T>(), pending.as<double>(), stride, dx.as<T>() + begin * k);
    });
  });
}

}  // namespace ditto::kernels
