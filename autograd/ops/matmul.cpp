#include "autograd/ops/matmul.h"

#include "autograd/apply.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/shape_ops.h"
#include "core/on_device.h"
#include "kernels/matmul.h"
#include "kernels/reduce.h"

namespace ditto {

static Tensor product(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b) {
  const int64_t m = a.dim(transpose_a ? 1 : 0), n = b.dim(transpose_b ? 0 : 1);
  Tensor c = Tensor::empty({m, n}, a.dtype(), a.device());
  on_device(a.device(), [&](auto& ctx) {
    kernels::matmul(ctx, a.view(), b.view(), c.view(),
                    {.transpose_a = transpose_a, .transpose_b = transpose_b});
  });
  return c;
}

// c = a op(b), op = transpose where transpose_b: linear's weight is (O, I).
class MatmulFunction final : public Function {
 public:
  explicit MatmulFunction(bool transpose_b) : transpose_b_(transpose_b) {}
  const char* name() const override { return "matmul"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor a = inputs[0].contiguous(), b = inputs[1].contiguous();
    a_ = Saved(a);
    b_ = Saved(b);
    return product(a, false, b, transpose_b_);
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor dc = grads[0].contiguous();
    const Tensor a = a_.get("matmul"), b = b_.get("matmul");
    Tensor da, db;
    if (needs_grad(0)) da = product(dc, false, b, !transpose_b_);
    if (needs_grad(1))
      db = transpose_b_ ? product(dc, true, a, false) : product(a, true, dc, false);
    return {da, db};
  }

  void release() override {
    a_.clear();
    b_.clear();
  }

 private:
  bool transpose_b_;
  Saved a_, b_;
};

Tensor matmul(const Tensor& left, const Tensor& right) {
  const Tensor a = to_compute_dtype(left), b = to_compute_dtype(right);
  check_match("matmul", a, b);
  check(a.rank() == 2 && b.rank() == 2 && a.dim(1) == b.dim(0),
        "[matmul] shapes do not fit:", a.shape(), "and", b.shape());
  return apply<MatmulFunction>({a, b}, false);
}

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& offset) {
  const Tensor x = to_compute_dtype(input), w = to_compute_dtype(weight),
               bias = to_compute_dtype(offset);
  check_match("linear", x, w);
  if (bias.defined()) check_match("linear", x, bias);
  check(x.rank() >= 1 && w.rank() == 2 && x.dim(-1) == w.dim(1), "[linear] input", x.shape(),
        "does not fit weight", w.shape());
  check(!bias.defined() || (bias.rank() == 1 && bias.dim(0) == w.dim(0)), "[linear] bias",
        bias.defined() ? bias.shape() : Shape(), "does not fit weight", w.shape());
  Shape shape = x.shape();
  shape[x.rank() - 1] = w.dim(0);
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) rows *= x.shape()[i];
  Tensor y = apply<MatmulFunction>({reshape(x, {rows, w.dim(1)}), w}, true);
  if (bias.defined()) y = add(y, bias);
  return reshape(y, shape);
}

}  // namespace ditto
