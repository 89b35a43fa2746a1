#include "kernels/pool2d.h"

#include <algorithm>
#include <limits>

#include "core/parallel.h"
#include "kernels/pool2d_shape.h"
#include "kernels/through_f32.h"

namespace ditto::kernels {
namespace {

void check_view(const View& view, const char* name, int rank, Dtype dtype, DeviceType device) {
  check(view.defined(), "[pool2d] undefined argument:", name);
  check(view.device.type == device, "[pool2d] wrong device:", view.device, "of", name);
  check(view.dtype == dtype, "[pool2d] dtype is", view.dtype, "but should be", dtype, "of", name);
  check(view.shape.rank() == rank, "[pool2d] needs", rank, "dimensions, got", view.shape, "for",
        name);
  check(view.is_contiguous(), "[pool2d] not contiguous:", name, view.shape, "strides",
        view.strides);
}

void check_images(const View& x, DeviceType device) {
  check(is_floating(x.dtype), "[pool2d] needs dtype f32 or f64, got", x.dtype);
  check_view(x, "x", 4, x.dtype, device);
  check(x.shape[1] >= 1 && x.shape[2] >= 1, "[pool2d] empty image: x", x.shape);
}

Pool checked_images(const View& x, const Pool2dParams& p, DeviceType device) {
  check_images(x, device);
  check(p.kernel >= 1, "[pool2d] kernel must be at least 1, got", p.kernel);
  check(p.stride >= 0, "[pool2d] stride must not be negative, got", p.stride);
  check(p.padding >= 0 && p.padding <= p.kernel / 2,
        "[pool2d] padding must be between 0 and half the kernel, got", p.padding, "for kernel",
        p.kernel);
  Pool s{x.shape[0], x.shape[1], x.shape[2], x.shape[3], 0,
         0,          p.kernel,   p.stride,   p.padding,  p.count_include_pad};
  if (s.stride == 0) s.stride = s.kernel;
  check(s.kernel <= std::min(s.h, s.w) + 2 * s.padding, "[pool2d] kernel", p.kernel,
        "is larger than the padded input: x", x.shape, "padding", p.padding);
  s.oh = (s.h + 2 * s.padding - s.kernel) / s.stride + 1;
  s.ow = (s.w + 2 * s.padding - s.kernel) / s.stride + 1;
  return s;
}

// Rows a thread should at least get, so that starting it pays.
int64_t row_grain(int64_t row_elements) { return 1 + 16384 / std::max<int64_t>(row_elements, 1); }

// Takes the pixel's channels where they are larger. A NaN is larger than anything.
template <class T>
void take_larger(int64_t channels, const T* __restrict pixel, int32_t position, T* __restrict best,
                 int32_t* __restrict index) {
  for (int64_t c = 0; c < channels; ++c) {
    const bool larger = (pixel[c] > best[c]) | (pixel[c] != pixel[c]);
    best[c] = larger ? pixel[c] : best[c];
    index[c] = larger ? position : index[c];
  }
}
template <class T>
void take_larger(int64_t channels, const T* __restrict pixel, T* __restrict best) {
  for (int64_t c = 0; c < channels; ++c)
    best[c] = ((pixel[c] > best[c]) | (pixel[c] != pixel[c])) ? pixel[c] : best[c];
}

template <class T>
void max_forward(CpuContext& ctx, const Pool& s, const T* x, T* y, int32_t* index) {
  parallel_for(ctx, s.n * s.oh, row_grain(s.ow * s.c), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* image = x + row / s.oh * s.h * s.w * s.c;
      const PoolRange rows = pixels_of(s, row % s.oh, s.h);
      for (int64_t ow = 0; ow < s.ow; ++ow) {
        const PoolRange columns = pixels_of(s, ow, s.w);
        const int64_t at = (row * s.ow + ow) * s.c, first = rows.begin * s.w + columns.begin;
        std::copy_n(image + first * s.c, s.c, y + at);
        if (index) std::fill_n(index + at, s.c, static_cast<int32_t>(first));
        for (int64_t h = rows.begin; h < rows.end; ++h)
          for (int64_t w = columns.begin; w < columns.end; ++w) {
            const int64_t position = h * s.w + w;
            const T* pixel = image + position * s.c;
            if (index)
              take_larger(s.c, pixel, static_cast<int32_t>(position), y + at, index + at);
            else
              take_larger(s.c, pixel, y + at);
          }
      }
    }
  });
}

// dx += dy where the window's maximum was the pixel at `position`.
template <class T>
void add_where(int64_t channels, const int32_t* __restrict index, int32_t position,
               const T* __restrict dy, T* __restrict dx) {
  for (int64_t c = 0; c < channels; ++c) dx[c] += index[c] == position ? dy[c] : T{0};
}

template <class T>
void add_scaled(int64_t channels, const T* __restrict dy, T scale, T* __restrict dx) {
  for (int64_t c = 0; c < channels; ++c) dx[c] += scale * dy[c];
}

// Both backward passes gather: each pixel of dx asks the windows that cover it. add(output pixel,
// its row and column of windows, position in the image, dx).
template <class T, class Add>
void gather_windows(CpuContext& ctx, const Pool& s, T* dx, Add add) {
  parallel_for(ctx, s.n * s.h, row_grain(s.w * s.c), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t image = row / s.h, h = row % s.h;
      const PoolRange rows = windows_of(s, h, s.oh);
      for (int64_t w = 0; w < s.w; ++w) {
        T* pixel = dx + (row * s.w + w) * s.c;
        std::fill_n(pixel, s.c, T{0});
        const PoolRange columns = windows_of(s, w, s.ow);
        for (int64_t oh = rows.begin; oh < rows.end; ++oh)
          for (int64_t ow = columns.begin; ow < columns.end; ++ow)
            add(((image * s.oh + oh) * s.ow + ow) * s.c, oh, ow, h * s.w + w, pixel);
      }
    }
  });
}

// Channels summed at a time, in double on the stack.
constexpr int64_t kBlock = 64;

// Sum over a window of the channels [0, channels), channels <= kBlock, divided and stored.
template <class T>
void store_mean(const T* image, int64_t width, int64_t stride, const PoolRange& rows,
                const PoolRange& columns, int64_t channels, double divide_by, T* y) {
  double sums[kBlock] = {};
  for (int64_t h = rows.begin; h < rows.end; ++h)
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      const T* pixel = image + (h * width + w) * stride;
      for (int64_t c = 0; c < channels; ++c) sums[c] += static_cast<double>(pixel[c]);
    }
  for (int64_t c = 0; c < channels; ++c) y[c] = static_cast<T>(sums[c] / divide_by);
}

template <class T>
void avg_forward(CpuContext& ctx, const Pool& s, const T* x, T* y) {
  const int64_t blocks = (s.c + kBlock - 1) / kBlock;
  const int64_t work = s.kernel * s.kernel * std::min(s.c, kBlock);
  parallel_for(ctx, s.n * s.oh * s.ow * blocks, row_grain(work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t out = i / blocks, c = i % blocks * kBlock;
      const int64_t image = out / (s.oh * s.ow), oh = out / s.ow % s.oh, ow = out % s.ow;
      store_mean(x + image * s.h * s.w * s.c + c, s.w, s.c, pixels_of(s, oh, s.h),
                 pixels_of(s, ow, s.w), std::min(kBlock, s.c - c), divisor(s, oh, ow),
                 y + out * s.c + c);
    }
  });
}

}  // namespace

Pool checked_pool(const View& x, const View& y, const Pool2dParams& p, DeviceType type) {
  const Pool s = checked_images(x, p, type);
  check_view(y, "y", 4, x.dtype, type);
  const Shape expected{s.n, s.oh, s.ow, s.c};
  check(y.shape == expected, "[pool2d] output shape is", y.shape, "but should be", expected);
  return s;
}

void check_pool_index(const View& index, const View& y, const Pool& s) {
  check_view(index, "index", 4, Dtype::I32, y.device.type);
  check(index.shape == y.shape, "[pool2d] index has shape", index.shape, "but y", y.shape);
  check(s.h * s.w <= std::numeric_limits<int32_t>::max(),
        "[pool2d] image too large for i32 indices:", s.h, "x", s.w);
}

void check_global_pool(const View& x, const View& y, DeviceType type) {
  check_images(x, type);
  check_view(y, "y", 2, x.dtype, type);
  const Shape expected{x.shape[0], x.shape[3]};
  check(y.shape == expected, "[pool2d] output shape is", y.shape, "but should be", expected);
}

Shape pool2d_output_shape(const View& x, const Pool2dParams& p) {
  const Pool s = checked_images(x, p, x.device.type);
  return {s.n, s.oh, s.ow, s.c};
}

void max_pool2d_forward(CpuContext& ctx, const View& x, const View& y, const View& index,
                        const Pool2dParams& p) {
  if (x.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { max_pool2d_forward(ctx, f.in(x), f.out(y), index, p); });
  const Pool s = checked_pool(x, y, p, DeviceType::Cpu);
  if (index.defined()) check_pool_index(index, y, s);
  on_float(x.dtype, "pool2d", [&]<class T>(T) {
    max_forward(ctx, s, x.as<T>(), y.as<T>(), index.defined() ? index.as<int32_t>() : nullptr);
  });
}

void max_pool2d_backward(CpuContext& ctx, const View& dy, const View& index, const View& dx,
                         const Pool2dParams& p) {
  if (dx.dtype == Dtype::BF16)
    return through_f32(ctx,
                       [&](auto& f) { max_pool2d_backward(ctx, f.in(dy), index, f.out(dx), p); });
  const Pool s = checked_pool(dx, dy, p, DeviceType::Cpu);
  check_pool_index(index, dy, s);
  const int32_t* winners = index.as<int32_t>();
  on_float(dx.dtype, "pool2d", [&]<class T>(T) {
    const T* gradient = dy.as<T>();
    gather_windows(
        ctx, s, dx.as<T>(), [&](int64_t out, int64_t, int64_t, int64_t position, T* pixel) {
          add_where(s.c, winners + out, static_cast<int32_t>(position), gradient + out, pixel);
        });
  });
}

void avg_pool2d_forward(CpuContext& ctx, const View& x, const View& y, const Pool2dParams& p) {
  if (x.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { avg_pool2d_forward(ctx, f.in(x), f.out(y), p); });
  const Pool s = checked_pool(x, y, p, DeviceType::Cpu);
  on_float(x.dtype, "pool2d", [&]<class T>(T) { avg_forward(ctx, s, x.as<T>(), y.as<T>()); });
}

void avg_pool2d_backward(CpuContext& ctx, const View& dy, const View& dx, const Pool2dParams& p) {
  if (dx.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { avg_pool2d_backward(ctx, f.in(dy), f.out(dx), p); });
  const Pool s = checked_pool(dx, dy, p, DeviceType::Cpu);
  on_float(dx.dtype, "pool2d", [&]<class T>(T) {
    const T* gradient = dy.as<T>();
    gather_windows(ctx, s, dx.as<T>(), [&](int64_t out, int64_t oh, int64_t ow, int64_t, T* pixel) {
      add_scaled(s.c, gradient + out, static_cast<T>(1 / divisor(s, oh, ow)), pixel);
    });
  });
}

void global_avg_pool2d_forward(CpuContext& ctx, const View& x, const View& y) {
  if (x.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { global_avg_pool2d_forward(ctx, f.in(x), f.out(y)); });
  check_global_pool(x, y, DeviceType::Cpu);
  const int64_t n = x.shape[0], h = x.shape[1], w = x.shape[2], c = x.shape[3];
  const int64_t blocks = (c + kBlock - 1) / kBlock;
  on_float(x.dtype, "pool2d", [&]<class T>(T) {
    const T* images = x.as<T>();
    T* means = y.as<T>();
    parallel_for(ctx, n * blocks, row_grain(h * w * std::min(c, kBlock)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t image = i / blocks, first = i % blocks * kBlock;
                     store_mean(images + image * h * w * c + first, w, c, {0, h}, {0, w},
                                std::min(kBlock, c - first), static_cast<double>(h * w),
                                means + image * c + first);
                   }
                 });
  });
}

void global_avg_pool2d_backward(CpuContext& ctx, const View& dy, const View& dx) {
  if (dx.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { global_avg_pool2d_backward(ctx, f.in(dy), f.out(dx)); });
  check_global_pool(dx, dy, DeviceType::Cpu);
  const int64_t pixels = dx.shape[1] * dx.shape[2], c = dx.shape[3];
  on_float(dx.dtype, "pool2d", [&]<class T>(T) {
    const T* gradient = dy.as<T>();
    T* out = dx.as<T>();
    const T scale = static_cast<T>(1.0 / static_cast<double>(pixels));
    parallel_for(ctx, dx.shape[0] * pixels, row_grain(c), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < c; ++j) out[i * c + j] = scale * gradient[i / pixels * c + j];
    });
  });
}

}  // namespace ditto::kernels
