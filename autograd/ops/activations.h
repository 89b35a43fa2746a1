// Elementwise functions of one tensor (f32 or f64, any shape). Formulas: kernels/unary_math.h.
#pragma once

#include "autograd/apply.h"
#include "autograd/ops/checks.h"
#include "kernels/elementwise.h"

namespace ditto {

// The kernels on the device of x and of dy; `op` is a unary_id.
Tensor unary_value(int op, const Tensor& x);
Tensor unary_gradient(int op, const Tensor& dy, const Tensor& saved);

// One node serves every function of UnaryMath: it saves the input, the output or nothing, as the
// math declares.
template <class Op>
class Unary final : public Function {
 public:
  const char* name() const override { return Op::name; }

  Tensor forward(const Tensors& inputs) {
    check_floating(Op::name, inputs[0]);
    const Tensor x = inputs[0].contiguous();
    const Tensor y = unary_value(unary_id<Op>, x);
    if constexpr (Op::saves == math::Saves::Input) saved_ = Saved(x);
    if constexpr (Op::saves == math::Saves::Output) saved_ = Saved(y);
    return y;
  }

  Tensors backward(const Tensors& grads) override {
    return {unary_gradient(unary_id<Op>, grads[0].contiguous(), saved_.get(Op::name))};
  }

  void release() override { saved_.clear(); }

 private:
  Saved saved_;
};

inline Tensor relu(const Tensor& x) { return apply<Unary<math::Relu>>({x}); }
inline Tensor neg(const Tensor& x) { return apply<Unary<math::Neg>>({x}); }
inline Tensor abs(const Tensor& x) { return apply<Unary<math::Abs>>({x}); }
inline Tensor exp(const Tensor& x) { return apply<Unary<math::Exp>>({x}); }
inline Tensor log(const Tensor& x) { return apply<Unary<math::Log>>({x}); }
inline Tensor sqrt(const Tensor& x) { return apply<Unary<math::Sqrt>>({x}); }
inline Tensor rsqrt(const Tensor& x) { return apply<Unary<math::Rsqrt>>({x}); }
inline Tensor square(const Tensor& x) { return apply<Unary<math::Square>>({x}); }
inline Tensor sin(const Tensor& x) { return apply<Unary<math::Sin>>({x}); }
inline Tensor cos(const Tensor& x) { return apply<Unary<math::Cos>>({x}); }
inline Tensor acos(const Tensor& x) { return apply<Unary<math::Acos>>({x}); }
inline Tensor tanh(const Tensor& x) { return apply<Unary<math::Tanh>>({x}); }
inline Tensor sigmoid(const Tensor& x) { return apply<Unary<math::Sigmoid>>({x}); }
inline Tensor softplus(const Tensor& x) { return apply<Unary<math::Softplus>>({x}); }
inline Tensor log_sigmoid(const Tensor& x) { return apply<Unary<math::LogSigmoid>>({x}); }
inline Tensor silu(const Tensor& x) { return apply<Unary<math::Silu>>({x}); }
inline Tensor gelu(const Tensor& x) { return apply<Unary<math::Gelu>>({x}); }

}  // namespace ditto
