#include "kernels/elementwise.h"

#include <type_traits>

#include "core/parallel.h"
#include "kernels/strided.h"
#include "kernels/through_f32.h"

namespace ditto::kernels {
namespace {

constexpr int64_t kGrain = 8192;

using UnaryForward = void (*)(CpuContext&, const View&, const View&);
using UnaryBackward = void (*)(CpuContext&, const View&, const View&, const View&);
using BinaryForward = void (*)(CpuContext&, const View&, const View&, const View&);
using BinaryBackward = void (*)(CpuContext&, Side, const View&, const View&, const View&,
                                const View&);

template <class Op>
void unary_forward_op(CpuContext& ctx, const View& x, const View& y) {
  on_float(x.dtype, Op::name, [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.as<T>();
    T* to = y.as<T>();
    parallel_for(ctx, x.numel(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = Op::f(from[i]);
    });
  });
}

template <class Op>
void unary_backward_op(CpuContext& ctx, const View& dy, const View& saved, const View& dx) {
  on_float(dy.dtype, Op::name, [&](auto zero) {
    using T = decltype(zero);
    const T* g = dy.as<T>();
    T* to = dx.as<T>();
    if constexpr (Op::saves == math::Saves::Nothing) {
      parallel_for(ctx, dy.numel(), kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] = g[i] * Op::df(T(0));
      });
    } else {
      const T* v = saved.as<T>();
      parallel_for(ctx, dy.numel(), kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const T slope = Op::df(v[i]);  // named: in one expression g++ 12 makes branches of relu's
          to[i] = g[i] * slope;
        }
      });
    }
  });
}

// The inner loop over one row; unit and zero steps get their own loops, which vectorise.
template <class T, class F>
void binary_row(const T* a, int64_t step_a, const T* b, int64_t step_b, T* y, int64_t n, F f) {
  if (step_a == 1 && step_b == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  } else if (step_a == 1 && step_b == 0) {
    const T value = *b;
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], value);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i * step_a], b[i * step_b]);
  }
}

template <class Op>
void binary_forward_op(CpuContext& ctx, const View& a, const View& b, const View& y) {
  on_float(y.dtype, Op::name, [&](auto zero) {
    using T = decltype(zero);
    const T *pa = a.as<T>(), *pb = b.as<T>();
    T* py = y.as<T>();
    StridedLoop<3> loop(y.shape, {a.strides, b.strides, y.strides});
    loop.run(ctx, [=](auto offset, auto step, int64_t n) {
      binary_row(pa + offset[0], step[0], pb + offset[1], step[1], py + offset[2], n,
                 [](T u, T v) { return Op::f(u, v); });
    });
  });
}

template <class Op>
void binary_backward_op(CpuContext& ctx, Side side, const View& dy, const View& a, const View& b,
                        const View& out) {
  // The derivative by a factor is the other one: this one is not read.
  if constexpr (std::is_same_v<Op, math::Mul>)
    return binary_forward_op<Op>(ctx, dy, side == Side::A ? b : a, out);
  on_float(dy.dtype, Op::name, [&](auto zero) {
    using T = decltype(zero);
    const T* g = dy.as<T>();
    T* to = out.as<T>();
    if constexpr (!Op::needs_inputs) {
      const T factor = side == Side::A ? Op::da(T(0), T(0)) : Op::db(T(0), T(0));
      parallel_for(ctx, dy.numel(), kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] = g[i] * factor;
      });
    } else {
      const T *pa = a.as<T>(), *pb = b.as<T>();
      StridedLoop<3> loop(out.shape, {a.strides, b.strides, out.strides});
      loop.run(ctx, [=](auto offset, auto step, int64_t n) {
        const T *ra = pa + offset[0], *rb = pb + offset[1], *rg = g + offset[2];
        T* rt = to + offset[2];
        for (int64_t i = 0; i < n; ++i) {
          const T u = ra[i * step[0]], v = rb[i * step[1]];
          rt[i] = rg[i] * (side == Side::A ? Op::da(u, v) : Op::db(u, v));
        }
      });
    }
  });
}

template <class... Ops>
struct UnaryTable {
  static constexpr UnaryForward forward[] = {&unary_forward_op<Ops>...};
  static constexpr UnaryBackward backward[] = {&unary_backward_op<Ops>...};
};
template <class... Ops>
UnaryTable<Ops...> unary_table(TypeList<Ops...>);

template <class... Ops>
struct BinaryTable {
  static constexpr BinaryForward forward[] = {&binary_forward_op<Ops>...};
  static constexpr BinaryBackward backward[] = {&binary_backward_op<Ops>...};
};
template <class... Ops>
BinaryTable<Ops...> binary_table(TypeList<Ops...>);

using Unaries = decltype(unary_table(UnaryMath{}));
using Binaries = decltype(binary_table(BinaryMath{}));

}  // namespace

void unary_forward(CpuContext& ctx, int op, const View& x, const View& y) {
  if (y.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { unary_forward(ctx, op, f.in(x), f.out(y)); });
  Unaries::forward[op](ctx, x, y);
}
void unary_backward(CpuContext& ctx, int op, const View& dy, const View& saved, const View& dx) {
  if (dx.dtype == Dtype::BF16)
    return through_f32(ctx,
                       [&](auto& f) { unary_backward(ctx, op, f.in(dy), f.in(saved), f.out(dx)); });
  Unaries::backward[op](ctx, dy, saved, dx);
}
void binary_forward(CpuContext& ctx, int op, const View& a, const View& b, const View& y) {
  if (y.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { binary_forward(ctx, op, f.in(a), f.in(b), f.out(y)); });
  Binaries::forward[op](ctx, a, b, y);
}
void binary_backward(CpuContext& ctx, int op, Side side, const View& dy, const View& a,
                     const View& b, const View& out) {
  if (out.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) {
      binary_backward(ctx, op, side, f.in(dy), f.in(a), f.in(b), f.out(out));
    });
  Binaries::backward[op](ctx, side, dy, a, b, out);
}

void accumulate(CpuContext& ctx, const View& x, double scale, const View& y) {
  if (y.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { accumulate(ctx, f.in(x), scale, f.in_out(y)); });
  check(x.shape == y.shape, "[accumulate] shapes differ:", x.shape, "and", y.shape);
  on_float(y.dtype, "accumulate", [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.as<T>();
    T* to = y.as<T>();
    const T factor = static_cast<T>(scale);
    parallel_for(ctx, y.numel(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] += factor * from[i];
    });
  });
}

void scale(CpuContext& ctx, const View& x, double scale, const View& y) {
  if (y.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { kernels::scale(ctx, f.in(x), scale, f.out(y)); });
  on_float(y.dtype, "scale", [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.as<T>();
    T* to = y.as<T>();
    const T factor = static_cast<T>(scale);
    parallel_for(ctx, y.numel(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = factor * from[i];
    });
  });
}

void copy(CpuContext&, const View& src, const View& dst) { copy_view(src, dst); }

void fill(CpuContext&, double value, const View& dst) {
  View source = dst;
  source.data = &value;
  source.dtype = Dtype::F64;
  source.strides = Shape::filled(dst.shape.rank(), 0);
  copy_view(source, dst);
}

}  // namespace ditto::kernels
