#include "autograd/ops/arithmetic.h"

#include "autograd/apply.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "core/on_device.h"
#include "kernels/elementwise.h"

namespace ditto {

// x seen under `shape` with stride 0 along repeated dimensions.
static View broadcast_view(const Tensor& x, const Shape& shape) {
  View view = x.view();
  const int shift = shape.rank() - x.rank();
  view.shape = shape;
  view.strides = Shape::filled(shape.rank(), 0);
  for (int i = 0; i < x.rank(); ++i)
    if (x.shape()[i] != 1) view.strides[i + shift] = x.strides()[i];
  return view;
}

template <class Op>
class Binary final : public Function {
 public:
  const char* name() const override { return Op::name; }

  Tensor forward(const Tensors& inputs) {
    const Tensor &a = inputs[0], &b = inputs[1];
    check_match(Op::name, a, b);
    shape_a_ = a.shape();
    shape_b_ = b.shape();
    const Shape shape = broadcast_shapes(shape_a_, shape_b_, Op::name);
    Tensor y = Tensor::empty(shape, a.dtype(), a.device());
    on_device(y.device(), [&](auto& ctx) {
      kernels::binary_forward(ctx, binary_id<Op>, broadcast_view(a, shape),
                              broadcast_view(b, shape), y.view());
    });
    if constexpr (Op::needs_inputs) {
      a_ = Saved(a);
      b_ = Saved(b);
    }
    return y;
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous();
    return {needs_grad(0) ? gradient(kernels::Side::A, dy, shape_a_) : Tensor(),
            needs_grad(1) ? gradient(kernels::Side::B, dy, shape_b_) : Tensor()};
  }

  void release() override {
    a_.clear();
    b_.clear();
  }

 private:
  Tensor gradient(kernels::Side side, const Tensor& dy, const Shape& shape) {
    if constexpr (std::is_same_v<Op, math::Add>) return sum_to(dy, shape);
    Tensor full = Tensor::empty(dy.shape(), dy.dtype(), dy.device());
    View a, b;
    if constexpr (Op::needs_inputs) {
      a = broadcast_view(a_.get(Op::name), dy.shape());
      b = broadcast_view(b_.get(Op::name), dy.shape());
    }
    on_device(dy.device(), [&](auto& ctx) {
      kernels::binary_backward(ctx, binary_id<Op>, side, dy.view(), a, b, full.view());
    });
    return sum_to(full, shape);
  }

  Shape shape_a_, shape_b_;
  Saved a_, b_;
};

Tensor add(const Tensor& a, const Tensor& b) { return apply<Binary<math::Add>>({a, b}); }
Tensor sub(const Tensor& a, const Tensor& b) { return apply<Binary<math::Sub>>({a, b}); }
Tensor mul(const Tensor& a, const Tensor& b) { return apply<Binary<math::Mul>>({a, b}); }
Tensor div(const Tensor& a, const Tensor& b) { return apply<Binary<math::Div>>({a, b}); }
Tensor maximum(const Tensor& a, const Tensor& b) { return apply<Binary<math::Maximum>>({a, b}); }
Tensor minimum(const Tensor& a, const Tensor& b) { return apply<Binary<math::Minimum>>({a, b}); }
Tensor pow(const Tensor& a, const Tensor& b) { return apply<Binary<math::Pow>>({a, b}); }
Tensor greater(const Tensor& a, const Tensor& b) { return apply<Binary<math::Greater>>({a, b}); }

static Tensor scalar_like(const Tensor& x, double value) {
  return Tensor::scalar(value, x.dtype(), x.device());
}

Tensor pow(const Tensor& a, double exponent) { return pow(a, scalar_like(a, exponent)); }
Tensor maximum(const Tensor& a, double b) { return maximum(a, scalar_like(a, b)); }
Tensor minimum(const Tensor& a, double b) { return minimum(a, scalar_like(a, b)); }
Tensor greater(const Tensor& a, double b) { return greater(a, scalar_like(a, b)); }
Tensor clamp(const Tensor& x, double low, double high) {
  check(low <= high, "[clamp] low", low, "is above high", high);
  return minimum(maximum(x, low), high);
}
Tensor leaky_relu(const Tensor& x, double slope) {
  return apply<Binary<math::LeakyRelu>>({x, scalar_like(x, slope)});
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int shift = x.rank() - shape.rank();
  check(shift >= 0, "[sum_to] cannot sum", x.shape(), "to", shape);
  Tensor y = x;
  // Leading dimensions first, as one group; then single repeated ones.
  if (shift > 0) {
    Shape merged;
    int64_t leading = 1;
    for (int i = 0; i < shift; ++i) leading *= x.shape()[i];
    merged.push_back(leading);
    for (int i = shift; i < x.rank(); ++i) merged.push_back(x.shape()[i]);
    y = sum(reshape(y, merged), 0);
  }
  for (int i = 0; i < shape.rank(); ++i)
    if (shape[i] == 1 && y.shape()[i] != 1) y = sum(y, i, true);
  check(y.shape() == shape, "[sum_to] cannot sum", x.shape(), "to", shape);
  return y;
}

Tensor operator-(const Tensor& a) { return neg(a); }
Tensor operator+(const Tensor& a, double b) { return add(a, scalar_like(a, b)); }
Tensor operator-(const Tensor& a, double b) { return sub(a, scalar_like(a, b)); }
Tensor operator*(const Tensor& a, double b) { return mul(a, scalar_like(a, b)); }
Tensor operator/(const Tensor& a, double b) { return div(a, scalar_like(a, b)); }
Tensor operator+(double a, const Tensor& b) { return add(scalar_like(b, a), b); }
Tensor operator-(double a, const Tensor& b) { return sub(scalar_like(b, a), b); }
Tensor operator*(double a, const Tensor& b) { return mul(scalar_like(b, a), b); }
Tensor operator/(double a, const Tensor& b) { return div(scalar_like(b, a), b); }

}  // namespace ditto
