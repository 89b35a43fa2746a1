#include "tests/cuda_emulation/cudnn_convolution.h"

#include <vector>

#include "tests/cuda_emulation/library_double.h"

namespace ditto::emulation {
namespace {

// Where element (n, c, h, w) lies.
struct Layout {
  int64_t n, c, h, w;
  int64_t at(int64_t in, int64_t ic, int64_t ih, int64_t iw) const {
    return in * n + ic * c + ih * h + iw * w;
  }
};
Layout layout(cudnnTensorFormat_t format, int64_t c, int64_t h, int64_t w) {
  return format == CUDNN_TENSOR_NHWC ? Layout{h * w * c, 1, w * c, c}
                                     : Layout{c * h * w, h * w, w, 1};
}

// What one (image, output pixel, tap) adds to the sums: `first` is dy or x, `second` x or w,
// already widened. The bytes were checked against their buffers, and this is the hot loop of many
// tests: it is not instrumented again.
template <class Sum>
[[gnu::no_sanitize("address", "undefined")]] void add_products(
    Pass pass, int co, int ci, int groups, const Sum* first, const Sum* second, Sum* sums,
    int64_t in_x, int64_t x_step, int64_t in_y, int64_t y_step, int64_t in_w, int64_t w_row,
    int64_t w_step) {
  for (int o = 0; o < co * groups; ++o) {
    const int64_t x = in_x + o / co * ci * x_step, y = in_y + o * y_step, w = in_w + o * w_row;
    if (pass == Pass::Forward) {
      Sum sum = 0;
      for (int c = 0; c < ci; ++c) sum += first[x + c * x_step] * second[w + c * w_step];
      sums[y] += sum;
    } else if (pass == Pass::BackwardData) {
      const Sum gradient = first[y];
      for (int c = 0; c < ci; ++c) sums[x + c * x_step] += gradient * second[w + c * w_step];
    } else {
      const Sum gradient = first[y];
      for (int c = 0; c < ci; ++c) sums[w + c * w_step] += gradient * second[x + c * x_step];
    }
  }
}

struct Bfloat {
  uint16_t bits = 0;
  explicit Bfloat(double value) : bits(to_bf16(static_cast<float>(value))) {}
  explicit operator float() const { return from_bf16(bits); }
  explicit operator double() const { return static_cast<double>(from_bf16(bits)); }
};

template <class T, class Sum>
void compute(const Problem& p, const T* first, const T* second, T* out, double alpha, double beta,
             int64_t first_image) {
  const bool tf32 = sizeof(T) == 4 && p.conv.math != CUDNN_FMA_MATH;
  const auto widened = [tf32](const T* values, size_t bytes) {
    std::vector<Sum> sums(bytes / sizeof(T));
    for (size_t i = 0; i < sums.size(); ++i)
      sums[i] = tf32 ? static_cast<Sum>(to_tf32(static_cast<float>(values[i])))
                     : static_cast<Sum>(values[i]);
    return sums;
  };
  const bool forward = p.pass == Pass::Forward, weights = p.pass == Pass::BackwardWeights;
  const std::vector<Sum> left = widened(first, forward ? p.x_bytes() : p.y_bytes());
  const std::vector<Sum> right = widened(second, weights ? p.x_bytes() : p.w_bytes());
  const size_t count = (forward ? p.y_bytes() : weights ? p.w_bytes() : p.x_bytes()) / sizeof(T);
  std::vector<Sum> sums(count);

  const Layout x = layout(p.x.format, p.x.c, p.x.h, p.x.w);
  const Layout y = layout(p.y.format, p.y.c, p.y.h, p.y.w);
  const Layout w = layout(p.w.format, p.w.c, p.w.h, p.w.w);
  const bool flipped = p.conv.mode == CUDNN_CONVOLUTION;
  for (int64_t image = 0; image < p.x.n; ++image) {
    const int64_t n = (image + first_image) % p.x.n;
    for (int oh = 0; oh < p.y.h; ++oh)
      for (int ow = 0; ow < p.y.w; ++ow)
        for (int r = 0; r < p.w.h; ++r) {
          const int ih = oh * p.conv.stride_h - p.conv.pad_h + r * p.conv.dilation_h;
          if (ih < 0 || ih >= p.x.h) continue;
          for (int s = 0; s < p.w.w; ++s) {
            const int iw = ow * p.conv.stride_w - p.conv.pad_w + s * p.conv.dilation_w;
            if (iw < 0 || iw >= p.x.w) continue;
            const int row = flipped ? p.w.h - 1 - r : r, column = flipped ? p.w.w - 1 - s : s;
            add_products(p.pass, p.w.k / p.conv.groups, p.w.c, p.conv.groups, left.data(),
                         right.data(), sums.data(), x.at(n, 0, ih, iw), x.c, y.at(n, 0, oh, ow),
                         y.c, w.at(0, 0, row, column), w.n, w.c);
          }
        }
  }
  for (size_t i = 0; i < count; ++i)
    out[i] = static_cast<T>(alpha * static_cast<double>(sums[i]) +
                            (beta == 0 ? 0.0 : beta * static_cast<double>(out[i])));
}

template <class T, class Sum>
void compute(const Problem& p, const void* first, const void* second, void* out, double alpha,
             double beta, int64_t first_image) {
  compute<T, Sum>(p, static_cast<const T*>(first), static_cast<const T*>(second),
                  static_cast<T*>(out), alpha, beta, first_image);
}

}  // namespace

void convolve(const Problem& p, const void* first, const void* second, void* out, double alpha,
              double beta, bool deterministic, int64_t first_image) {
  if (p.wide())
    compute<double, double>(p, first, second, out, alpha, beta, 0);
  else if (p.narrow())
    compute<Bfloat, float>(p, first, second, out, alpha, beta, first_image);
  else if (deterministic)
    compute<float, double>(p, first, second, out, alpha, beta, 0);
  else
    compute<float, float>(p, first, second, out, alpha, beta, first_image);
}

}  // namespace ditto::emulation
