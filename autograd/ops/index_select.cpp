#include "autograd/ops/index_select.h"

#include "autograd/apply.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"
#include "kernels/gather_scatter.h"

namespace ditto {

class IndexSelectFunction final : public Function {
 public:
  const char* name() const override { return "index_select"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous(), index = inputs[1].contiguous();
    shape_ = x.shape();
    Shape shape = x.shape();
    shape[0] = index.dim(0);
    Tensor y = Tensor::empty(shape, x.dtype(), x.device());
    on_device(x.device(),
              [&](auto& ctx) { kernels::gather_rows(ctx, x.view(), index.view(), y.view()); });
    index_ = Saved(index);
    return y;
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous(), index = index_.get("index_select");
    Tensor dx = Tensor::empty(shape_, dy.dtype(), dy.device());
    on_device(dy.device(), [&](auto& ctx) {
      kernels::scatter_add_rows(ctx, dy.view(), index.view(), dx.view());
    });
    return {dx, Tensor()};
  }

  void release() override { index_.clear(); }

 private:
  Shape shape_;
  Saved index_;
};

Tensor index_select(const Tensor& x, const Tensor& index) {
  check_defined("index_select", x);
  check_defined("index_select", index);
  check(x.rank() >= 1, "[index_select] needs at least one dimension, got", x.shape());
  check_index("index_select", index, index.numel(), x);
  return apply<IndexSelectFunction>({x, index.detach()});
}

}  // namespace ditto
