#include "kernels/conv2d.h"

#include <cstring>
#include <type_traits>

#include "kernels/conv2d_provider.h"
#include "kernels/conv2d_reference.h"
#include "kernels/through_f32.h"

namespace ditto::kernels {
namespace {

// The one place that decides who computes a convolution.
template <class T>
const Conv2dProvider<T>& provider(const Conv2dShape&) {
  if constexpr (std::is_same_v<T, float>)
    return onednn_conv2d();
  else
    return plain_conv2d<T>();
}

void check_view(const View& view, const char* name, int rank, Dtype dtype, Device device) {
  check(view.defined(), "[conv2d] undefined argument:", name);
  check(view.device == device, "[conv2d] the kernel runs on", device, "but", name, "is on",
        view.device);
  check(view.dtype == dtype, "[conv2d] dtypes differ:", dtype, "and", view.dtype, "of", name);
  check(view.shape.rank() == rank, "[conv2d] needs", rank, "dimensions, got", view.shape, "for",
        name);
  check(view.is_contiguous(), "[conv2d] not contiguous:", name, view.shape, "strides",
        view.strides);
}

// Positions of a kernel of `size` along an axis of `length`.
int64_t output_size(int64_t length, int64_t size, const Conv2dParams& p, const View& x,
                    const View& w) {
  const int64_t reach = p.dilation * (size - 1) + 1, padded = length + 2 * int64_t{p.padding};
  check(reach <= padded, "[conv2d] the kernel reaches over", reach,
        "pixels but the padded input has", padded, "- x", x.shape, "w", w.shape, "padding",
        p.padding, "dilation", p.dilation);
  return (padded - reach) / p.stride + 1;
}

Conv2dShape checked_shape(Device device, const View& x, const View& w, const View& bias,
                          const Conv2dParams& p) {
  check(is_floating(x.dtype), "[conv2d] needs dtype f32 or f64, got", x.dtype);
  check_view(x, "x", 4, x.dtype, device);
  check_view(w, "w", 4, x.dtype, device);
  check(p.stride >= 1, "[conv2d] stride must be at least 1, got", p.stride);
  check(p.padding >= 0, "[conv2d] padding must not be negative, got", p.padding);
  check(p.dilation >= 1, "[conv2d] dilation must be at least 1, got", p.dilation);
  check(p.groups >= 1, "[conv2d] groups must be at least 1, got", p.groups);
  Conv2dShape s{};
  s.n = x.shape[0], s.h = x.shape[1], s.w = x.shape[2], s.c = x.shape[3];
  s.o = w.shape[0], s.kh = w.shape[1], s.kw = w.shape[2];
  s.stride = p.stride, s.padding = p.padding, s.dilation = p.dilation, s.groups = p.groups;
  check(s.n >= 0 && s.h >= 1 && s.w >= 1 && s.c >= 1, "[conv2d] empty image or no channels: x",
        x.shape);
  check(s.o >= 1 && s.kh >= 1 && s.kw >= 1, "[conv2d] empty kernel: w", w.shape);
  check(s.c % s.groups == 0, "[conv2d] groups do not divide the input channels:", s.groups, "and",
        s.c);
  check(s.o % s.groups == 0, "[conv2d] groups do not divide the output channels:", s.groups, "and",
        s.o);
  check(w.shape[3] == s.c / s.groups, "[conv2d] weight channels do not match the input: w", w.shape,
        "x", x.shape, "groups", p.groups);
  if (bias.defined()) {
    check_view(bias, "bias", 1, x.dtype, device);
    check(bias.shape[0] == s.o, "[conv2d] bias does not match the output channels:", bias.shape,
          "and", s.o);
  }
  s.oh = output_size(s.h, s.kh, p, x, w);
  s.ow = output_size(s.w, s.kw, p, x, w);
  return s;
}

template <class T>
T* pointer(const View& view) {
  return static_cast<T*>(view.data);  // dtype is checked; null where undefined
}

template <class Pick>
void forward(CpuContext& ctx, const View& x, const View& w, const View& bias, const View& y,
             const Conv2dParams& p, Pick pick) {
  const Conv2dShape s = checked_conv2d_shape(kCpu, x, w, bias, y, p);
  if (s.n == 0) return;
  on_float(x.dtype, "conv2d", [&]<class T>(T) {
    pick(s, T{}).forward(ctx, s, pointer<T>(x), pointer<T>(w), pointer<T>(bias), pointer<T>(y));
  });
}

template <class Pick>
void backward_data(CpuContext& ctx, const View& dy, const View& w, const View& dx,
                   const Conv2dParams& p, Pick pick) {
  const Conv2dShape s = checked_conv2d_shape(kCpu, dx, w, View{}, dy, p);
  if (s.n == 0) return;
  on_float(dx.dtype, "conv2d", [&]<class T>(T) {
    pick(s, T{}).backward_data(ctx, s, pointer<T>(dy), pointer<T>(w), pointer<T>(dx));
  });
}

template <class Pick>
void backward_weights(CpuContext& ctx, const View& dy, const View& x, const View& dw,
                      const View& dbias, const Conv2dParams& p, Pick pick) {
  const Conv2dShape s = checked_conv2d_shape(kCpu, x, dw, dbias, dy, p);
  if (s.n == 0) {  // the sum over no images
    std::memset(dw.data, 0, static_cast<size_t>(dw.numel() * size_of(dw.dtype)));
    if (dbias.defined())
      std::memset(dbias.data, 0, static_cast<size_t>(dbias.numel() * size_of(dbias.dtype)));
    return;
  }
  on_float(x.dtype, "conv2d", [&]<class T>(T) {
    pick(s, T{}).backward_weights(ctx, s, pointer<T>(dy), pointer<T>(x), pointer<T>(dw),
                                  pointer<T>(dbias));
  });
}

constexpr auto kBest = []<class T>(const Conv2dShape& s, T) -> auto& { return provider<T>(s); };
constexpr auto kPlain = []<class T>(const Conv2dShape&, T) -> auto& { return plain_conv2d<T>(); };

}  // namespace

Conv2dShape checked_conv2d_shape(Device device, const View& x, const View& w, const View& bias,
                                 const View& y, const Conv2dParams& p) {
  const Conv2dShape s = checked_shape(device, x, w, bias, p);
  check_view(y, "y", 4, x.dtype, device);
  const Shape expected{s.n, s.oh, s.ow, s.o};
  check(y.shape == expected, "[conv2d] output shape is", y.shape, "but should be", expected);
  return s;
}

Shape conv2d_output_shape(const View& x, const View& w, const View& bias, const Conv2dParams& p) {
  const Conv2dShape s = checked_shape(x.device, x, w, bias, p);
  return {s.n, s.oh, s.ow, s.o};
}

void conv2d_forward(CpuContext& ctx, const View& x, const View& w, const View& bias, const View& y,
                    const Conv2dParams& p) {
  if (x.dtype == Dtype::BF16)
    return through_f32(
        ctx, [&](auto& f) { conv2d_forward(ctx, f.in(x), f.in(w), f.in(bias), f.out(y), p); });
  forward(ctx, x, w, bias, y, p, kBest);
}
void conv2d_backward_data(CpuContext& ctx, const View& dy, const View& w, const View& dx,
                          const Conv2dParams& p) {
  if (dx.dtype == Dtype::BF16)
    return through_f32(
        ctx, [&](auto& f) { conv2d_backward_data(ctx, f.in(dy), f.in(w), f.out(dx), p); });
  backward_data(ctx, dy, w, dx, p, kBest);
}
void conv2d_backward_weights(CpuContext& ctx, const View& dy, const View& x, const View& dw,
                             const View& dbias, const Conv2dParams& p) {
  if (dw.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) {
      conv2d_backward_weights(ctx, f.in(dy), f.in(x), f.out(dw), f.out(dbias), p);
    });
  backward_weights(ctx, dy, x, dw, dbias, p, kBest);
}

void conv2d_forward_plain(CpuContext& ctx, const View& x, const View& w, const View& bias,
                          const View& y, const Conv2dParams& p) {
  forward(ctx, x, w, bias, y, p, kPlain);
}
void conv2d_backward_data_plain(CpuContext& ctx, const View& dy, const View& w, const View& dx,
                                const Conv2dParams& p) {
  backward_data(ctx, dy, w, dx, p, kPlain);
}
void conv2d_backward_weights_plain(CpuContext& ctx, const View& dy, const View& x, const View& dw,
                                   const View& dbias, const Conv2dParams& p) {
  backward_weights(ctx, dy, x, dw, dbias, p, kPlain);
}

}  // namespace ditto::kernels
