#include "autograd/ops/softmax.h"

#include "autograd/apply.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"

namespace ditto {
namespace {

void check_columns(const char* op, const Tensor& x) {
  check_floating(op, x);
  if (x.rank() < 1 || x.dim(-1) < 1)
    fail(std::string("[") + op + "] needs at least one column, got", x.shape());
}

Tensor like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype(), x.device()); }

}  // namespace

class SoftmaxFunction final : public Function {
 public:
  const char* name() const override { return "softmax"; }
  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous();
    Tensor y = like(x);
    on_device(x.device(), [&](auto& ctx) { kernels::softmax_forward(ctx, x.view(), y.view()); });
    y_ = Saved(y);
    return y;
  }
  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous(), y = y_.get("softmax");
    Tensor dx = like(dy);
    on_device(dy.device(),
              [&](auto& ctx) { kernels::softmax_backward(ctx, dy.view(), y.view(), dx.view()); });
    return {dx};
  }
  void release() override { y_.clear(); }

 private:
  Saved y_;
};

class LogSoftmaxFunction final : public Function {
 public:
  const char* name() const override { return "log_softmax"; }
  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous();
    Tensor y = like(x);
    on_device(x.device(),
              [&](auto& ctx) { kernels::log_softmax_forward(ctx, x.view(), y.view()); });
    y_ = Saved(y);
    return y;
  }
  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous(), y = y_.get("log_softmax");
    Tensor dx = like(dy);
    on_device(dy.device(), [&](auto& ctx) {
      kernels::log_softmax_backward(ctx, dy.view(), y.view(), dx.view());
    });
    return {dx};
  }
  void release() override { y_.clear(); }

 private:
  Saved y_;
};

// Inputs: logits, target (never differentiated).
class CrossEntropyFunction final : public Function {
 public:
  explicit CrossEntropyFunction(const kernels::CrossEntropyParams& params) : params_(params) {}
  const char* name() const override { return "cross_entropy"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor logits = inputs[0].contiguous(), target = inputs[1].contiguous();
    const Shape rows{logits.dim(0)};
    Tensor loss = Tensor::empty(rows, logits.dtype(), logits.device());
    // f64: at logits of 1e4 an f32 log-sum-exp would shift every probability by 5e-4.
    Tensor lse = Tensor::empty(rows, Dtype::F64, logits.device());
    on_device(logits.device(), [&](auto& ctx) {
      kernels::cross_entropy_forward(ctx, logits.view(), labels(target), soft(target), loss.view(),
                                     lse.view(), params_);
    });
    logits_ = Saved(logits);
    target_ = Saved(target);
    lse_ = Saved(lse);
    return loss;
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor g = grads[0].contiguous(), logits = logits_.get("cross_entropy");
    const Tensor target = target_.get("cross_entropy"), lse = lse_.get("cross_entropy");
    Tensor dlogits = like(logits);
    on_device(logits.device(), [&](auto& ctx) {
      kernels::cross_entropy_backward(ctx, g.view(), logits.view(), labels(target), soft(target),
                                      lse.view(), dlogits.view(), params_);
    });
    return {dlogits, Tensor()};
  }

  void release() override {
    logits_.clear();
    target_.clear();
    lse_.clear();
  }

 private:
  static View labels(const Tensor& t) { return t.dtype() == Dtype::I64 ? t.view() : View(); }
  static View soft(const Tensor& t) { return t.dtype() == Dtype::I64 ? View() : t.view(); }

  kernels::CrossEntropyParams params_;
  Saved logits_, target_, lse_;
};

Tensor softmax(const Tensor& x) {
  check_columns("softmax", x);
  return apply<SoftmaxFunction>({widened(x)});
}
Tensor log_softmax(const Tensor& x) {
  check_columns("log_softmax", x);
  return apply<LogSoftmaxFunction>({widened(x)});
}

Tensor cross_entropy_rows(const Tensor& outputs, const Tensor& target,
                          const kernels::CrossEntropyParams& params) {
  check_rank("cross_entropy", outputs, 2);
  const Tensor logits = widened(outputs);
  check_defined("cross_entropy", target);
  check(logits.dim(1) >= 1, "[cross_entropy] needs at least one class, got", logits.shape());
  check(params.label_smoothing >= 0 && params.label_smoothing <= 1,
        "[cross_entropy] label smoothing must be in [0, 1]:", params.label_smoothing);
  if (target.dtype() == Dtype::I64) {
    check_index("cross_entropy", target, logits.dim(0), logits);
  } else {
    check_match("cross_entropy", logits, target);
    check(target.shape() == logits.shape(), "[cross_entropy] soft targets", target.shape(),
          "do not fit logits", logits.shape());
  }
  return apply<CrossEntropyFunction>({logits, target.detach()}, params);
}

}  // namespace ditto
