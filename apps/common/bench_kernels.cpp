#include "apps/common/bench_kernels.h"

#include "kernels/batch_norm.h"
#include "kernels/elementwise.h"
#include "kernels/optim.h"
#include "kernels/random.h"
#include "kernels/softmax.h"

namespace ditto::apps {
namespace {

Tensor normal(const Shape& shape, Device device, uint32_t stream) {
  Tensor x = Tensor::empty(shape, Dtype::F32, device);
  on_device(device, [&](auto& ctx) {
    kernels::fill_normal(ctx, {.seed = 1, .sample = stream}, 0, 1, x.view());
  });
  return x;
}

}  // namespace

std::vector<KernelBench> streaming_kernels(Device device, int64_t batch) {
  const Shape image{batch, 32, 32, 16}, channels{16};
  const Tensor x32 = normal(image, device, 0), dy32 = normal(image, device, 1),
               y32 = normal(image, device, 2), out32 = normal(image, device, 3);
  const Tensor gamma = Tensor::ones(channels, Dtype::F32, device),
               mean = Tensor::zeros(channels, Dtype::F32, device), variance = mean.clone(),
               dgamma = mean.clone(), dbeta = mean.clone();
  std::vector<KernelBench> out_list;
  const auto add = [&](const std::string& name, int64_t moved, auto run) {
    out_list.push_back({name, moved, [=] { on_device(device, run); }});
  };
  // The activations of mixed precision are bf16; statistics and parameters stay f32.
  for (const Dtype dtype : {Dtype::F32, Dtype::BF16}) {
    const Tensor x = x32.to(dtype), dy = dy32.to(dtype), y = y32.to(dtype), out = out32.to(dtype);
    const int64_t bytes = size_of(dtype) * x.numel();
    const std::string end = dtype == Dtype::F32 ? "" : "_bf16";
    add("copy" + end, 2 * bytes, [=](auto& ctx) { kernels::copy(ctx, x.view(), out.view()); });
    if (dtype == Dtype::BF16)
      add("cast_to_bf16", 3 * bytes,
          [=](auto& ctx) { kernels::copy(ctx, x32.view(), out.view()); });
    add("relu_forward" + end, 2 * bytes, [=](auto& ctx) {
      kernels::unary_forward(ctx, unary_id<math::Relu>, x.view(), out.view());
    });
    add("relu_backward" + end, 3 * bytes, [=](auto& ctx) {
      kernels::unary_backward(ctx, unary_id<math::Relu>, dy.view(), y.view(), out.view());
    });
    add("add" + end, 3 * bytes, [=](auto& ctx) {
      kernels::binary_forward(ctx, binary_id<math::Add>, x.view(), y.view(), out.view());
    });
    add("batch_norm_statistics" + end, bytes, [=](auto& ctx) {
      kernels::batch_norm_statistics(ctx, x.view(), mean.view(), variance.view());
    });
    add("batch_norm_apply_relu" + end, 2 * bytes, [=](auto& ctx) {
      kernels::batch_norm_apply(ctx, x.view(), mean.view(), gamma.view(), gamma.view(), mean.view(),
                                View{}, true, out.view());
    });
    // Two passes over dy, x and y: the sums of a channel are needed before the first dx.
    add("batch_norm_backward_relu" + end, 7 * bytes, [=](auto& ctx) {
      kernels::batch_norm_backward(ctx, dy.view(), x.view(), y.view(), mean.view(), gamma.view(),
                                   gamma.view(), true, out.view(), dgamma.view(), dbeta.view(),
                                   View{});
    });
  }
  // Losses and optimizers keep to f32.
  const Tensor logits = normal({batch * 64, 100}, device, 4), dlogits = logits.clone(),
               labels = Tensor::zeros({batch * 64}, Dtype::I64, device),
               rows = Tensor::ones({batch * 64}, Dtype::F32, device),
               lse = Tensor::zeros({batch * 64}, Dtype::F64, device);
  const int64_t bytes = 4 * x32.numel(), matrix = 4 * logits.numel(), n = 4 * rows.numel();
  add("cross_entropy_forward", matrix + 5 * n, [=](auto& ctx) {
    kernels::cross_entropy_forward(ctx, logits.view(), labels.view(), View{}, rows.view(),
                                   lse.view(), {});
  });
  add("cross_entropy_backward", 2 * matrix + 5 * n, [=](auto& ctx) {
    kernels::cross_entropy_backward(ctx, rows.view(), logits.view(), labels.view(), View{},
                                    lse.view(), dlogits.view(), {});
  });
  add("sgd_update", 5 * bytes, [=](auto& ctx) {
    const kernels::SgdSlot slot{out32.view(), dy32.view(), y32.view()};
    kernels::sgd_update(
        ctx, {&slot, 1},
        {.lr = 1e-6, .momentum = 0.9, .weight_decay = 0, .nesterov = false, .decoupled = false});
  });
  return out_list;
}

}  // namespace ditto::apps
