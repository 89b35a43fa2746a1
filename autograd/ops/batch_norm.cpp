#include "autograd/ops/batch_norm.h"

#include <algorithm>

#include "autograd/apply.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"
#include "kernels/batch_norm.h"
#include "kernels/elementwise.h"

namespace ditto {

// Of statistics and parameters: a mean over thousands of bf16 numbers would not even be good to one
// percent in bf16.
static Dtype statistics_dtype(const Tensor& x) {
  return x.dtype() == Dtype::BF16 ? Dtype::F32 : x.dtype();
}

// Inputs: x, gamma, beta, residual.
class BatchNormFunction final : public Function {
 public:
  BatchNormFunction(const BatchNormParams& params, Tensor running_mean, Tensor running_var)
      : params_(params), running_mean_(running_mean), running_var_(running_var) {}
  const char* name() const override { return "batch_norm"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous(), gamma = inputs[1], beta = inputs[2],
                 residual = inputs[3].contiguous();
    const Shape channels{x.dim(-1)};
    const Dtype dtype = statistics_dtype(x);
    const int64_t rows = x.numel() / std::max<int64_t>(1, x.dim(-1));
    Tensor mean = Tensor::empty(channels, dtype, x.device()), variance = mean;
    Tensor running_mean, running_var;  // those to update
    if (params_.training) {
      variance = Tensor::empty(channels, dtype, x.device());
      on_device(x.device(), [&](auto& ctx) {
        kernels::batch_norm_statistics(ctx, x.view(), mean.view(), variance.view());
      });
      running_mean = running_mean_, running_var = running_var_;
    } else {
      mean =
          running_mean_.contiguous().clone();  // later training must not change what was used here
      variance = running_var_.contiguous();
    }
    Tensor invstd = Tensor::empty(channels, dtype, x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::batch_norm_finish(ctx, mean.view(), variance.view(), rows,
                                 {.eps = params_.eps, .momentum = params_.momentum}, invstd.view(),
                                 running_mean.view(), running_var.view());
    });
    if (running_mean.defined()) {
      running_mean.storage()->bump_version();
      running_var.storage()->bump_version();
    }
    Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::batch_norm_apply(ctx, x.view(), mean.view(), invstd.view(), gamma.view(),
                                beta.view(), residual.view(), params_.relu, y.view());
    });
    x_ = Saved(x);
    if (params_.relu) y_ = Saved(y);
    gamma_ = Saved(gamma);
    mean_ = Saved(mean);
    invstd_ = Saved(invstd);
    return y;
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous();
    const Tensor x = x_.get("batch_norm"), y = y_.get("batch_norm");
    const Tensor gamma = gamma_.get("batch_norm");
    const Tensor mean = mean_.get("batch_norm"), invstd = invstd_.get("batch_norm");
    Tensor dx, dgamma, dbeta, dresidual;
    if (needs_grad(0)) dx = Tensor::empty(x.shape(), x.dtype(), x.device());
    if (needs_grad(1)) dgamma = Tensor::empty(gamma.shape(), gamma.dtype(), x.device());
    if (needs_grad(2)) dbeta = Tensor::empty(mean.shape(), mean.dtype(), x.device());
    if (needs_grad(3) && !params_.relu)
      dresidual = dy;  // the add passes the gradient on as it is
    else if (needs_grad(3))
      dresidual = Tensor::empty(x.shape(), x.dtype(), x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::batch_norm_backward(ctx, dy.view(), x.view(), y.view(), mean.view(), invstd.view(),
                                   gamma.view(), params_.training, dx.view(), dgamma.view(),
                                   dbeta.view(), params_.relu ? dresidual.view() : View());
    });
    return {dx, dgamma, dbeta, dresidual};
  }

  void release() override {
    for (Saved* saved : {&x_, &y_, &gamma_, &mean_, &invstd_}) saved->clear();
    running_mean_ = running_var_ = Tensor();
  }

 private:
  BatchNormParams params_;
  Tensor running_mean_, running_var_;
  Saved x_, y_, gamma_, mean_, invstd_;
};

Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, Tensor running_mean,
                  Tensor running_var, const BatchNormParams& params, const Tensor& residual) {
  check_floating("batch_norm", x);
  check(x.rank() >= 2, "[batch_norm] needs (..., C), got", x.shape());
  const Shape channels{x.dim(-1)};
  for (const Tensor* t : {&gamma, &beta, static_cast<const Tensor*>(&running_mean),
                          static_cast<const Tensor*>(&running_var)}) {
    if (!t->defined()) continue;
    check(t->dtype() == statistics_dtype(x) && t->device() == x.device(),
          "[batch_norm] a parameter should be", statistics_dtype(x), "on", x.device(), "got", *t);
    check(t->shape() == channels, "[batch_norm] parameter", t->shape(), "does not fit input",
          x.shape());
  }
  check(running_mean.defined() == running_var.defined(),
        "[batch_norm] running mean and variance go together");
  check(params.training || running_mean.defined(),
        "[batch_norm] evaluation needs running statistics");
  check(!params.training || x.numel() > x.dim(-1),
        "[batch_norm] training needs more than one value per channel, got", x.shape());
  check(params.eps >= 0, "[batch_norm] eps must not be negative:", params.eps);
  if (residual.defined()) {
    check_match("batch_norm", x, residual);
    check(residual.shape() == x.shape(), "[batch_norm] residual", residual.shape(),
          "does not fit input", x.shape());
  }
  return apply<BatchNormFunction>({x, gamma, beta, residual}, params, running_mean.detach(),
                                  running_var.detach());
}

}  // namespace ditto
