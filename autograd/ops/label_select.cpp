#include "autograd/ops/label_select.h"

#include "autograd/apply.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"
#include "kernels/elementwise.h"
#include "kernels/label_select.h"

namespace ditto {

static Tensor like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype(), x.device()); }

class PickLabelFunction final : public Function {
 public:
  explicit PickLabelFunction(int64_t ignore) : ignore_(ignore) {}
  const char* name() const override { return "pick_label"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous(), labels = inputs[1].contiguous();
    shape_ = x.shape();
    Tensor y = Tensor::empty({x.dim(0)}, x.dtype(), x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::pick_label(ctx, x.view(), labels.view(), ignore_, y.view());
    });
    labels_ = Saved(labels);
    return y;
  }
  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous(), labels = labels_.get("pick_label");
    Tensor dx = Tensor::empty(shape_, dy.dtype(), dy.device());
    on_device(dy.device(), [&](auto& ctx) {
      kernels::put_label(ctx, View(), labels.view(), dy.view(), 1, ignore_, dx.view());
    });
    return {dx, Tensor()};
  }
  void release() override { labels_.clear(); }

 private:
  int64_t ignore_;
  Shape shape_;
  Saved labels_;
};

// Inputs: x, labels, values.
class PutLabelFunction final : public Function {
 public:
  PutLabelFunction(double scale, int64_t ignore) : scale_(scale), ignore_(ignore) {}
  const char* name() const override { return "put_label"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous(), labels = inputs[1].contiguous();
    const Tensor values = inputs[2].contiguous();
    Tensor y = like(x);
    on_device(x.device(), [&](auto& ctx) {
      kernels::put_label(ctx, x.view(), labels.view(), values.view(), scale_, ignore_, y.view());
    });
    labels_ = Saved(labels);
    return y;
  }
  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous(), labels = labels_.get("put_label");
    Tensor dx = like(dy), dvalues = Tensor::empty({dy.dim(0)}, dy.dtype(), dy.device());
    on_device(dy.device(), [&](auto& ctx) {
      kernels::put_label(ctx, dy.view(), labels.view(), View(), scale_, ignore_, dx.view());
      kernels::pick_label(ctx, dy.view(), labels.view(), ignore_, dvalues.view());
      if (scale_ != 1) kernels::scale(ctx, dvalues.view(), scale_, dvalues.view());
    });
    return {dx, Tensor(), dvalues};
  }
  void release() override { labels_.clear(); }

 private:
  double scale_;
  int64_t ignore_;
  Saved labels_;
};

static void check_columns(const char* op, const Tensor& x, const Tensor& labels) {
  check_rank(op, x, 2);
  if (x.dim(1) < 1) fail(std::string("[") + op + "] needs at least one column, got", x.shape());
  check_index(op, labels, x.dim(0), x);
}

Tensor pick_label(const Tensor& x, const Tensor& labels, int64_t ignore) {
  check_columns("pick_label", x, labels);
  return apply<PickLabelFunction>({widened(x), labels.detach()}, ignore);
}

Tensor put_label(const Tensor& matrix, const Tensor& labels, const Tensor& values, double scale,
                 int64_t ignore) {
  check_columns("put_label", matrix, labels);
  check_floating("put_label", values);
  const Tensor x = widened(matrix), own = widened(values);
  check_match("put_label", x, own);
  check(own.shape() == Shape{x.dim(0)}, "[put_label] values", own.shape(), "do not fit", x.shape());
  return apply<PutLabelFunction>({x, labels.detach(), own}, scale, ignore);
}

Tensor one_hot(const Tensor& labels, int64_t classes, Dtype dtype, int64_t ignore) {
  check_defined("one_hot", labels);
  const int64_t n = labels.rank() == 1 ? labels.dim(0) : 0;
  NoGrad guard;
  return put_label(Tensor::zeros({n, classes}, dtype, labels.device()), labels,
                   Tensor::ones({n}, dtype, labels.device()), 1, ignore);
}

}  // namespace ditto
