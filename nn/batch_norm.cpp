#include "nn/batch_norm.h"

#include "autograd/ops/batch_norm.h"
#include "core/graph_capture.h"
#include "nn/init.h"

namespace ditto::nn {

BatchNorm2d::BatchNorm2d(int64_t channels, const BatchNormOptions& options)
    : options_(options),
      weight_(parameter("weight", {channels}, ones())),
      bias_(parameter("bias", {channels}, zeros())),
      running_mean_(buffer("running_mean", Tensor::zeros({channels}))),
      running_var_(buffer("running_var", Tensor::ones({channels}))),
      batches_(buffer("num_batches_tracked", Tensor::zeros({}, Dtype::I64))) {
  check(channels >= 1, "[batch_norm] needs at least one channel, got", channels);
}

Tensor BatchNorm2d::normalize(const Tensor& x, bool relu, const Tensor& residual) {
  ProfileLayer timed(this);
  Tensor y = batch_norm(
      x, weight_, bias_, running_mean_, running_var_,
      {.eps = options_.eps, .momentum = options_.momentum, .training = training(), .relu = relu},
      residual);
  if (training()) count_batch();
  return y;
}

void BatchNorm2d::count_batch() {
  const auto count = [batches = batches_] {
    ++*batches.data<int64_t>();
    batches.storage()->bump_version();
  };
  if (GraphCapture* capture = current_capture())
    capture->at_each_replay(count);
  else
    count();
}

}  // namespace ditto::nn
