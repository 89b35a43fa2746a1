#include "autograd/ops/dense_block.h"

#include "autograd/apply.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"
#include "kernels/batch_norm.h"
#include "kernels/dense_block.h"
#include "kernels/elementwise.h"

namespace ditto {
namespace {

// Entries [begin, begin + n) of a vector, without a copy.
Tensor part(const Tensor& vector, int64_t begin, int64_t n) {
  return vector.alias({n}, {1}, vector.offset() + begin);
}

// Writes x into the first channels of the features.
void copy_channels(const Tensor& x, const Tensor& features) {
  View target = features.view();
  target.shape = x.shape();
  on_device(x.device(), [&](auto& ctx) { kernels::copy(ctx, x.view(), target); });
}

}  // namespace

// Inputs: x, then gamma, beta and weight of each layer.
class DenseBlockFunction final : public Function {
 public:
  DenseBlockFunction(const BatchNormParams& params, Tensors running)
      : params_(params), running_(std::move(running)) {}
  const char* name() const override { return "dense_block"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous();
    int64_t channels = x.dim(3);
    for (size_t i = 3; i < inputs.size(); i += 3) channels += inputs[i].dim(0);
    Tensor features =
        Tensor::empty({x.dim(0), x.dim(1), x.dim(2), channels}, x.dtype(), x.device());
    copy_channels(x, features);
    // In training the channels' statistics, filled up layer by layer.
    Tensor mean = Tensor::zeros({channels}, x.dtype(), x.device()),
           variance = Tensor::zeros({channels}, x.dtype(), x.device()),
           invstd = Tensor::zeros({channels}, x.dtype(), x.device());
    const int64_t rows = x.numel() / x.dim(3);
    int64_t in = x.dim(3);
    on_device(x.device(), [&](auto& ctx) {
      if (params_.training)
        kernels::batch_norm_statistics(ctx, x.view(), part(mean, 0, in).view(),
                                       part(variance, 0, in).view());
      for (size_t i = 1, layer = 0; i < inputs.size(); i += 3, ++layer) {
        const Tensor gamma = inputs[i].contiguous(), beta = inputs[i + 1].contiguous(),
                     w = inputs[i + 2].contiguous();
        const int64_t k = w.dim(0);
        const Tensor &running_mean = running_[2 * layer], &running_var = running_[2 * layer + 1];
        const kernels::BatchNormFinish finish{.eps = params_.eps, .momentum = params_.momentum};
        if (params_.training) {
          kernels::batch_norm_finish(ctx, part(mean, 0, in).view(), part(variance, 0, in).view(),
                                     rows, finish, part(invstd, 0, in).view(), running_mean.view(),
                                     running_var.view());
          for (const Tensor* running : {&running_mean, &running_var})
            if (running->defined()) running->storage()->bump_version();
        } else {
          mean = running_mean.clone();  // later training must not change what was used here
          invstd = Tensor::empty({in}, x.dtype(), x.device());
          kernels::batch_norm_finish(ctx, View{}, running_var.contiguous().view(), rows, finish,
                                     invstd.view(), View{}, View{});
        }
        const kernels::DenseNorm norm{mean.view(), invstd.view(), gamma.view(), beta.view()};
        const bool statistics = params_.training && in + k < channels;
        kernels::dense_layer_forward(ctx, features.view(), norm, w.view(),
                                     statistics ? part(mean, in, k).view() : View{},
                                     statistics ? part(variance, in, k).view() : View{});
        for (const Tensor& input : {gamma, beta, w}) saved_.push_back(Saved(input));
        if (!params_.training || layer == 0) {
          means_.push_back(mean);
          invstds_.push_back(invstd);
        }
        in += k;
      }
    });
    features_ = Saved(features);
    return features;
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor features = features_.get("dense_block");
    const Tensor gradient = grads[0].contiguous().clone();
    const int64_t channels = features.dim(3);
    const Tensor pending = Tensor::zeros({2, channels}, Dtype::F64, features.device());
    Tensors out(1 + saved_.size());
    int64_t in = channels;
    on_device(features.device(), [&](auto& ctx) {
      for (size_t i = saved_.size(); i > 0; i -= 3) {
        const Tensor gamma = saved_[i - 3].get("dense_block"),
                     beta = saved_[i - 2].get("dense_block"), w = saved_[i - 1].get("dense_block");
        in -= w.dim(0);
        const size_t layer = params_.training ? 0 : i / 3 - 1;
        const kernels::DenseNorm norm{means_[layer].view(), invstds_[layer].view(), gamma.view(),
                                      beta.view()};
        for (size_t j = 0; j < 3; ++j) {
          const Tensor& input = j == 0 ? gamma : j == 1 ? beta : w;
          out[i - 2 + j] = Tensor::empty(input.shape(), input.dtype(), input.device());
        }
        kernels::dense_layer_backward(ctx, features.view(), gradient.view(), norm, w.view(),
                                      params_.training, pending.view(), out[i - 2].view(),
                                      out[i - 1].view(), out[i].view());
      }
      if (!needs_grad(0)) return;
      out[0] = Tensor::empty({features.dim(0), features.dim(1), features.dim(2), in},
                             features.dtype(), features.device());
      kernels::dense_block_input_gradient(ctx, features.view(), gradient.view(), means_[0].view(),
                                          pending.view(), out[0].view());
    });
    return out;
  }

  void release() override {
    features_.clear();
    saved_.clear();
    means_.clear();
    invstds_.clear();
    running_.clear();
  }

 private:
  BatchNormParams params_;
  Tensors running_;  // mean and variance of each layer
  Saved features_;
  PoolVector<Saved> saved_;  // gamma, beta and weight of each layer
  Tensors means_, invstds_;  // in training one for all layers
};

Tensor dense_block(const Tensor& input, const PoolVector<DenseLayerTensors>& layers,
                   const BatchNormParams& params) {
  check_floating("dense_block", input);
  const Tensor x = widened(input);
  check(x.rank() == 4, "[dense_block] needs (N, H, W, C), got", x.shape());
  check(x.numel() > 0, "[dense_block] the input is empty:", x.shape());
  check(!params.training || x.numel() > x.dim(3),
        "[dense_block] training needs more than one value per channel, got", x.shape());
  check(params.eps >= 0, "[dense_block] eps must not be negative:", params.eps);
  check(!layers.empty(), "[dense_block] needs a layer");
  Tensors inputs{x}, running;
  int64_t channels = x.dim(3);
  for (const DenseLayerTensors& layer : layers) {
    const Tensor& w = layer.weight;
    check_match("dense_block", x, w);
    check(w.rank() == 4 && w.dim(3) == channels && w.dim(1) == w.dim(2) && w.dim(1) % 2 == 1 &&
              w.dim(0) > 0,
          "[dense_block] needs a weight (k, s, s,", channels, ") with odd s, got", w.shape());
    for (const Tensor* t : {&layer.gamma, &layer.beta, &layer.running_mean, &layer.running_var}) {
      const bool optional = t == &layer.running_mean || t == &layer.running_var;
      if (optional && params.training && !t->defined()) continue;
      check_match("dense_block", x, *t);
      check(t->shape() == Shape{channels}, "[dense_block] parameter", t->shape(),
            "does not fit channels", channels);
    }
    check(layer.running_mean.defined() == layer.running_var.defined(),
          "[dense_block] running mean and variance go together");
    inputs.push_back(layer.gamma);
    inputs.push_back(layer.beta);
    inputs.push_back(w);
    running.push_back(layer.running_mean.detach());
    running.push_back(layer.running_var.detach());
    channels += w.dim(0);
  }
  return apply<DenseBlockFunction>(inputs, params, std::move(running));
}

}  // namespace ditto
