// Plan. Streaming kernels: every input is read once and every output written once, which is the
// minimum; they are bound by memory, so the whole aim is full use of each access. A thread handles
// one pack of 16 bytes (4 floats, 2 doubles, 8 bf16) of every operand. The last, incomplete pack
// and operands that are not 16-byte aligned (slices at odd offsets; rare) go element by element
// through the same code. One pack per thread, no grid-stride loop: enough loads are in flight with
// 256-thread blocks, and there is no loop to keep registers for.
//
// Broadcasting operands (any strides, the output contiguous): dimensions that all operands walk in
// one stride are merged on the host, so most cases have one or two left; a thread finds its
// element's place by 32-bit divisions, and outputs of more than 2^31 elements are launched in
// parts. Where no operand broadcasts, the merge leaves one dimension of stride 1 and the packed
// kernel runs. Considered: a row of b kept in shared memory; the L1 cache already serves it. 64-bit
// divisions instead of parts: several times slower for every size.
#include <array>
#include <type_traits>

#include "core/cuda_copy_kernels.h"
#include "core/dtype.h"
#include "core/on_device.h"
#include "kernels/elementwise.h"
#include "kernels/launch.cuh"
#include "kernels/strided.cuh"
#include "kernels/vector.cuh"

namespace ditto::kernels {
namespace {

constexpr int kBlock = 256;

// Elements first, first + 1, ... of x, of which `count` exist; whole packs come in one access.
template <class T>
__device__ Pack<ComputeType<T>, kPack<T>> load(const T* x, int64_t first, int count, bool whole) {
  if (whole) return load_pack<kPack<T>>(x + first);
  Pack<ComputeType<T>, kPack<T>> out;
#pragma unroll
  for (int k = 0; k < kPack<T>; ++k) out.v[k] = widen(x[first + (k < count ? k : 0)]);
  return out;
}
template <class T>
__device__ void store(const Pack<ComputeType<T>, kPack<T>>& values, T* y, int64_t first, int count,
                      bool whole) {
  if (whole) {
    store_pack(y + first, values);
    return;
  }
#pragma unroll
  for (int k = 0; k < kPack<T>; ++k)
    if (k < count) y[first + k] = narrow<T>(values.v[k]);
}

template <class F, class Out, class... In>
__device__ Out map_pack(const F& f, const Out& first, const In&... in) {
  Out out;
#pragma unroll
  for (int k = 0; k < static_cast<int>(sizeof(out.v) / sizeof(out.v[0])); ++k)
    out.v[k] = f(first.v[k], in.v[k]...);
  return out;
}

// y[i] = f(x[i]...)
template <class T, class F, class... Inputs>
__global__ void __launch_bounds__(kBlock)
    map_kernel(F f, int64_t n, bool aligned, T* y, const Inputs*... x) {
  constexpr int P = kPack<T>;
  const int64_t first = (blockIdx.x * static_cast<int64_t>(kBlock) + threadIdx.x) * P;
  if (first >= n) return;
  const int count = n - first < P ? static_cast<int>(n - first) : P;
  const bool whole = aligned && count == P;
  store(map_pack(f, load(x, first, count, whole)...), y, first, count, whole);
}

// y[i] = f(x[i]...); y may be one of the inputs.
template <class T, class F, class... Inputs>
void map(CudaContext& ctx, const char* name, const F& f, int64_t n, T* y, const Inputs*... x) {
  launch(ctx, name, map_kernel<T, F, Inputs...>,
         {.grid = divide_up(divide_up(n, kPack<T>), kBlock), .block = kBlock}, f, n,
         aligned16(y, x...), y, x...);
}

// y[i] = f(g[i]..., a[..], b[..]): g is the gradient that backward kernels are handed, or nothing.
template <class T, class F, class... G>
__global__ void __launch_bounds__(kBlock)
    broadcast_kernel(F f, Walk<2> walk, uint32_t n, T* y, const T* a, const T* b, const G*... g) {
  const uint32_t i = blockIdx.x * static_cast<uint32_t>(kBlock) + threadIdx.x;
  if (i >= n) return;
  int64_t at[2];
  locate(walk, i, at);
  y[i] = narrow<T>(f(widen(g[i])..., widen(a[at[0]]), widen(b[at[1]])));
}

// y = f(g..., a, b), g contiguous like y.
template <class T, class F, class... G>
void map_two(CudaContext& ctx, const char* name, const F& f, const View& a, const View& b,
             const View& y, const G*... g) {
  const T *pa = a.as<T>(), *pb = b.as<T>();
  T* py = y.as<T>();
  const auto walk = make_walk(StridedLoop<2>(y.shape, {a.strides, b.strides}));
  if (walk.rank == 1 && walk.stride[0][0] == 1 && walk.stride[1][0] == 1)
    return map(ctx, name, f, y.numel(), py, g..., pa, pb);
  in_parts(walk, y.numel(), [&](const auto& part, int64_t n, int64_t first, const auto& at) {
    launch(ctx, name, broadcast_kernel<T, F, G...>, {.grid = divide_up(n, kBlock), .block = kBlock},
           f, part, static_cast<uint32_t>(n), py + first, pa + at[0], pb + at[1], (g + first)...);
  });
}

// What the kernels above apply to each element.
template <class Op>
struct Forward {
  template <class... T>
  HD auto operator()(T... x) const {
    return Op::f(x...);
  }
};
template <class Op>
struct UnaryBackward {
  template <class T>
  HD T operator()(T dy, T saved) const {
    return dy * Op::df(saved);
  }
};
template <class Op>
struct BinaryBackward {
  Side side;
  template <class T>
  HD T operator()(T dy, T a, T b) const {
    return dy * (side == Side::A ? Op::da(a, b) : Op::db(a, b));
  }
};
template <class T>
struct Scale {
  T factor;
  HD T operator()(T x) const { return factor * x; }
};
template <class T>
struct Accumulate {
  T factor;
  HD T operator()(T x, T y) const { return y + factor * x; }
};

template <class Op>
void unary_forward_op(CudaContext& ctx, const View& x, const View& y) {
  on_float_or_bf16(x.dtype, Op::name, [&](auto zero) {
    using T = decltype(zero);
    map(ctx, Op::name, Forward<Op>{}, x.numel(), y.as<T>(), static_cast<const T*>(x.as<T>()));
  });
}

template <class Op>
void unary_backward_op(CudaContext& ctx, const View& dy, const View& saved, const View& dx) {
  on_float_or_bf16(dy.dtype, Op::name, [&](auto zero) {
    using T = decltype(zero);
    const T* g = dy.as<T>();
    if constexpr (Op::saves == math::Saves::Nothing)
      map(ctx, Op::name, Scale<ComputeType<T>>{Op::df(ComputeType<T>(0))}, dy.numel(), dx.as<T>(),
          g);
    else
      map(ctx, Op::name, UnaryBackward<Op>{}, dy.numel(), dx.as<T>(), g,
          static_cast<const T*>(saved.as<T>()));
  });
}

template <class Op>
void binary_forward_op(CudaContext& ctx, const View& a, const View& b, const View& y) {
  on_float_or_bf16(y.dtype, Op::name, [&](auto zero) {
    using T = decltype(zero);
    map_two<T>(ctx, Op::name, Forward<Op>{}, a, b, y);
  });
}

template <class Op>
void binary_backward_op(CudaContext& ctx, Side side, const View& dy, const View& a, const View& b,
                        const View& out) {
  on_float_or_bf16(dy.dtype, Op::name, [&](auto zero) {
    using T = decltype(zero);
    const T* g = dy.as<T>();
    if constexpr (!Op::needs_inputs) {
      constexpr ComputeType<T> zero_value = 0;
      const ComputeType<T> factor =
          side == Side::A ? Op::da(zero_value, zero_value) : Op::db(zero_value, zero_value);
      map(ctx, Op::name, Scale<ComputeType<T>>{factor}, dy.numel(), out.as<T>(), g);
    } else if constexpr (std::is_same_v<Op, math::Mul>) {
      // The derivative by a factor is the other one: this one is not read.
      map_two<T>(ctx, Op::name, Forward<Op>{}, dy, side == Side::A ? b : a, out);
    } else {
      const bool quotient = std::is_same_v<Op, math::Div> && side == Side::A;  // 1 / b
      map_two<T>(ctx, Op::name, BinaryBackward<Op>{side}, quotient ? b : a, b, out, g);
    }
  });
}

using UnaryForwardFunction = void (*)(CudaContext&, const View&, const View&);
using UnaryBackwardFunction = void (*)(CudaContext&, const View&, const View&, const View&);
using BinaryForwardFunction = void (*)(CudaContext&, const View&, const View&, const View&);
using BinaryBackwardFunction = void (*)(CudaContext&, Side, const View&, const View&, const View&,
                                        const View&);

template <class... Ops>
struct UnaryTable {
  static constexpr UnaryForwardFunction forward[] = {&unary_forward_op<Ops>...};
  static constexpr UnaryBackwardFunction backward[] = {&unary_backward_op<Ops>...};
};
template <class... Ops>
UnaryTable<Ops...> unary_table(TypeList<Ops...>);

template <class... Ops>
struct BinaryTable {
  static constexpr BinaryForwardFunction forward[] = {&binary_forward_op<Ops>...};
  static constexpr BinaryBackwardFunction backward[] = {&binary_backward_op<Ops>...};
};
template <class... Ops>
BinaryTable<Ops...> binary_table(TypeList<Ops...>);

using Unaries = decltype(unary_table(UnaryMath{}));
using Binaries = decltype(binary_table(BinaryMath{}));

}  // namespace

void unary_forward(CudaContext& ctx, int op, const View& x, const View& y) {
  Unaries::forward[op](ctx, x, y);
}
void unary_backward(CudaContext& ctx, int op, const View& dy, const View& saved, const View& dx) {
  Unaries::backward[op](ctx, dy, saved, dx);
}
void binary_forward(CudaContext& ctx, int op, const View& a, const View& b, const View& y) {
  Binaries::forward[op](ctx, a, b, y);
}
void binary_backward(CudaContext& ctx, int op, Side side, const View& dy, const View& a,
                     const View& b, const View& out) {
  Binaries::backward[op](ctx, side, dy, a, b, out);
}

void accumulate(CudaContext& ctx, const View& x, double scale, const View& y) {
  check(x.shape == y.shape, "[accumulate] shapes differ:", x.shape, "and", y.shape);
  on_float_or_bf16(y.dtype, "accumulate", [&](auto zero) {
    using T = decltype(zero);
    T* to = y.as<T>();
    map(ctx, "accumulate", Accumulate<ComputeType<T>>{static_cast<ComputeType<T>>(scale)},
        y.numel(), to, static_cast<const T*>(x.as<T>()), static_cast<const T*>(to));
  });
}

void scale(CudaContext& ctx, const View& x, double scale, const View& y) {
  on_float_or_bf16(y.dtype, "scale", [&](auto zero) {
    using T = decltype(zero);
    map(ctx, "scale", Scale<ComputeType<T>>{static_cast<ComputeType<T>>(scale)}, y.numel(),
        y.as<T>(), static_cast<const T*>(x.as<T>()));
  });
}

void copy(CudaContext& ctx, const View& src, const View& dst) {
  if (src.device == dst.device)
    copy_on_device(ctx, src, dst);
  else
    copy_view(src, dst);
}

void fill(CudaContext& ctx, double value, const View& dst) { fill_on_device(ctx, value, dst); }

}  // namespace ditto::kernels
