#include "kernels/conv2d_reference.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/storage.h"
#include "kernels/conv2d_provider.h"

namespace ditto::kernels {
namespace {

// y += a x over `n` channels: the inner loop of all three kernels.
template <class T>
inline void axpy(int64_t n, double a, const T* __restrict x, double* __restrict y) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * static_cast<double>(x[i]);
}

template <class T>
void store(int64_t n, const double* __restrict from, T* __restrict to) {
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(from[i]);
}

// Uninitialised doubles.
class Buffer {
 public:
  explicit Buffer(int64_t count) : storage_(count * int64_t{sizeof(double)}, kCpu) {}
  double* data() const { return static_cast<double*>(storage_.data()); }

 private:
  Storage storage_;
};

template <class T>
void forward(CpuContext& ctx, const Conv2dShape& s, const T* x, const T* w, const T* bias, T* y) {
  const int64_t ci = s.group_inputs(), co = s.group_outputs(), taps = s.kh * s.kw;
  // Output channels last, so that the inner loop runs along them: (groups, kH, kW, C/g, O/g).
  const Buffer packed(s.weights());
  for (int64_t o = 0; o < s.o; ++o)
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t i = 0; i < ci; ++i)
        packed.data()[((o / co * taps + tap) * ci + i) * co + o % co] =
            static_cast<double>(w[(o * taps + tap) * ci + i]);

  parallel_for(ctx, s.n * s.oh, 1, [&](int64_t begin, int64_t end) {
    const Buffer sum(s.o);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t image = row / s.oh, top = row % s.oh * s.stride - s.padding;
      for (int64_t ow = 0; ow < s.ow; ++ow) {
        for (int64_t o = 0; o < s.o; ++o) sum.data()[o] = bias ? static_cast<double>(bias[o]) : 0.0;
        for (int64_t tap = 0; tap < taps; ++tap) {
          const int64_t ih = top + tap / s.kw * s.dilation;
          const int64_t iw = ow * s.stride - s.padding + tap % s.kw * s.dilation;
          if (ih < 0 || ih >= s.h || iw < 0 || iw >= s.w) continue;
          const T* pixel = x + ((image * s.h + ih) * s.w + iw) * s.c;
          for (int64_t g = 0; g < s.groups; ++g)
            for (int64_t i = 0; i < ci; ++i)
              axpy(co, static_cast<double>(pixel[g * ci + i]),
                   packed.data() + ((g * taps + tap) * ci + i) * co, sum.data() + g * co);
        }
        store(s.o, sum.data(), y + (row * s.ow + ow) * s.o);
      }
    }
  });
}

template <class T>
void backward_data(CpuContext& ctx, const Conv2dShape& s, const T* dy, const T* w, T* dx) {
  const int64_t ci = s.group_inputs(), co = s.group_outputs(), taps = s.kh * s.kw;
  parallel_for(ctx, s.n * s.h, 1, [&](int64_t begin, int64_t end) {
    const Buffer sum(s.c);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t image = row / s.h, ih = row % s.h;
      for (int64_t iw = 0; iw < s.w; ++iw) {
        std::fill_n(sum.data(), s.c, 0.0);
        for (int64_t tap = 0; tap < taps; ++tap) {
          // The output pixel that saw (ih, iw) through this tap, if there is one.
          const int64_t top = ih + s.padding - tap / s.kw * s.dilation;
          const int64_t left = iw + s.padding - tap % s.kw * s.dilation;
          if (top < 0 || left < 0 || top % s.stride != 0 || left % s.stride != 0) continue;
          const int64_t oh = top / s.stride, ow = left / s.stride;
          if (oh >= s.oh || ow >= s.ow) continue;
          const T* pixel = dy + ((image * s.oh + oh) * s.ow + ow) * s.o;
          for (int64_t o = 0; o < s.o; ++o)
            axpy(ci, static_cast<double>(pixel[o]), w + (o * taps + tap) * ci,
                 sum.data() + o / co * ci);
        }
        store(s.c, sum.data(), dx + (row * s.w + iw) * s.c);
      }
    }
  });
}

// Each output channel is summed by one thread, in the order of the pixels.
template <class T>
void backward_weights(CpuContext& ctx, const Conv2dShape& s, const T* dy, const T* x, T* dw,
                      T* dbias) {
  const int64_t ci = s.group_inputs(), co = s.group_outputs(), taps = s.kh * s.kw;
  parallel_for(ctx, s.o, 1, [&](int64_t begin, int64_t end) {
    const Buffer sum((end - begin) * (taps * ci + 1));
    std::fill_n(sum.data(), (end - begin) * (taps * ci + 1), 0.0);
    double* bias_sum = sum.data() + (end - begin) * taps * ci;
    for (int64_t row = 0; row < s.n * s.oh; ++row) {
      const int64_t image = row / s.oh, top = row % s.oh * s.stride - s.padding;
      for (int64_t ow = 0; ow < s.ow; ++ow) {
        const T* gradient = dy + (row * s.ow + ow) * s.o;
        for (int64_t o = begin; o < end; ++o)
          bias_sum[o - begin] += static_cast<double>(gradient[o]);
        for (int64_t tap = 0; tap < taps; ++tap) {
          const int64_t ih = top + tap / s.kw * s.dilation;
          const int64_t iw = ow * s.stride - s.padding + tap % s.kw * s.dilation;
          if (ih < 0 || ih >= s.h || iw < 0 || iw >= s.w) continue;
          const T* pixel = x + ((image * s.h + ih) * s.w + iw) * s.c;
          for (int64_t o = begin; o < end; ++o)
            axpy(ci, static_cast<double>(gradient[o]), pixel + o / co * ci,
                 sum.data() + ((o - begin) * taps + tap) * ci);
        }
      }
    }
    store((end - begin) * taps * ci, sum.data(), dw + begin * taps * ci);
    if (dbias) store(end - begin, bias_sum, dbias + begin);
  });
}

}  // namespace

template <class T>
const Conv2dProvider<T>& plain_conv2d() {
  static constexpr Conv2dProvider<T> kProvider{"plain", forward<T>, backward_data<T>,
                                               backward_weights<T>};
  return kProvider;
}
template const Conv2dProvider<float>& plain_conv2d<float>();
template const Conv2dProvider<double>& plain_conv2d<double>();

}  // namespace ditto::kernels
