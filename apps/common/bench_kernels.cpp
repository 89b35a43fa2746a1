#include "apps/common/bench_kernels.h"

#include "core/on_device.h"
#include "kernels/augment.h"
#include "kernels/batch_norm.h"
#include "kernels/elementwise.h"
#include "kernels/gather_scatter.h"
#include "kernels/group_kl.h"
#include "kernels/l2_normalize.h"
#include "kernels/optim.h"
#include "kernels/pool2d.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
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

using Add = std::function<void(const std::string& name, int64_t bytes, std::function<void()> run)>;

Tensor integers(int64_t n, Device device, int64_t (*value)(int64_t)) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(value(i));
  return Tensor::from(values, {n}).to(device);
}

// Pooling, sums and dropout over the same images.
void add_pooling(Device device, const Tensor& x, const Tensor& out, const Add& add) {
  const int64_t n = x.dim(0), c = x.dim(3), bytes = 4 * x.numel(), pooled = bytes / 4;
  const auto run = [device](auto f) { return [=] { on_device(device, f); }; };
  const Tensor small = Tensor::empty({n, 16, 16, c}, Dtype::F32, device),
               index = Tensor::empty({n, 16, 16, c}, Dtype::I32, device),
               means = Tensor::empty({n, c}, Dtype::F32, device),
               sums = Tensor::empty({c}, Dtype::F32, device);
  add("max_pool2d_forward", bytes + 2 * pooled, run([=](auto& ctx) {
        kernels::max_pool2d_forward(ctx, x.view(), small.view(), index.view(), {});
      }));
  add("max_pool2d_backward", bytes + 2 * pooled, run([=](auto& ctx) {
        kernels::max_pool2d_backward(ctx, small.view(), index.view(), out.view(), {});
      }));
  add("avg_pool2d_forward", bytes + pooled,
      run([=](auto& ctx) { kernels::avg_pool2d_forward(ctx, x.view(), small.view(), {}); }));
  add("global_avg_pool2d_forward", bytes + 4 * means.numel(),
      run([=](auto& ctx) { kernels::global_avg_pool2d_forward(ctx, x.view(), means.view()); }));
  add("sum_of_channels", bytes, run([=](auto& ctx) {
        kernels::reduce_sum(ctx, x.view(), sums.view(), {1, x.numel() / c, c}, 1);
      }));
  add("dropout_mask", bytes,
      run([=](auto& ctx) { kernels::fill_dropout_mask(ctx, {.seed = 1}, 0.5, out.view()); }));
}

// Rows of features and of logits.
void add_rows(Device device, int64_t batch, const Add& add) {
  const auto run = [device](auto f) { return [=] { on_device(device, f); }; };
  const Tensor x = normal({batch * 64, 128}, device, 5), y = x.clone(),
               lengths = Tensor::empty({batch * 64}, Dtype::F32, device),
               order = integers(batch * 64, device, [](int64_t i) { return i ^ 1; });
  const int64_t bytes = 4 * x.numel(), n = 4 * lengths.numel();
  add("softmax_forward", 2 * bytes,
      run([=](auto& ctx) { kernels::softmax_forward(ctx, x.view(), y.view()); }));
  add("l2_normalize_forward", 2 * bytes + n, run([=](auto& ctx) {
        kernels::l2_normalize_forward(ctx, x.view(), 1e-12, y.view(), lengths.view());
      }));
  add("gather_rows", 2 * bytes + 2 * n,
      run([=](auto& ctx) { kernels::gather_rows(ctx, x.view(), order.view(), y.view()); }));
  // The loss of LossTransform: pairs of rows.
  const Tensor logits = normal({batch, 1000}, device, 6), anchor = logits.clone(),
               kl = Tensor::empty({batch}, Dtype::F32, device),
               groups = integers(batch, device, [](int64_t i) { return i / 2; });
  add("group_kl_forward", 8 * logits.numel() + 12 * batch, run([=](auto& ctx) {
        kernels::group_kl_forward(ctx, logits.view(), groups.view(), View{}, kl.view(),
                                  anchor.view());
      }));
}

// Crop, flip and normalise of CIFAR's stored images, as a loader with its data on the device.
void add_augment(Device device, int64_t batch, const Add& add) {
  const Tensor images = Tensor::zeros({batch, 32, 32, 3}, Dtype::U8, device),
               out = Tensor::empty({batch, 32, 32, 3}, Dtype::F32, device);
  std::vector<kernels::AugmentRow> rows(static_cast<size_t>(batch));
  for (size_t i = 0; i < rows.size(); ++i) {
    const double shift = double(i % 9) - 4;
    rows[i] = {.source = static_cast<int64_t>(i),
               .inverse = i % 2 ? Affine{-1, 0, 32 + shift, 0, 1, shift}
                                : Affine{1, 0, shift, 0, 1, shift},
               .scale = {4, 4, 4, 1},
               .offset = {-2, -2, -2, 0}};
  }
  add("augment_crop_flip_normalise", 5 * images.numel(), [=] {
    on_device(device, [&](auto& ctx) { kernels::augment(ctx, images.view(), rows, out.view()); });
  });
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
  const Tensor squares = Tensor::ones(image, Dtype::F32, device);
  add("adam_update", 7 * bytes, [=](auto& ctx) {
    const kernels::AdamSlot slot{out32.view(), dy32.view(), y32.view(), squares.view()};
    kernels::adam_update(ctx, {&slot, 1},
                         {.lr = 1e-6,
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .eps = 1e-8,
                          .weight_decay = 0,
                          .decoupled = false,
                          .correction1 = 0.1,
                          .correction2 = 0.001});
  });
  add("ema_update", 3 * bytes, [=](auto& ctx) {
    const kernels::EmaSlot slot{dy32.view(), out32.view()};
    kernels::ema_update(ctx, {&slot, 1}, {0.999});
  });
  const Add append = [&](const std::string& name, int64_t moved, std::function<void()> run) {
    out_list.push_back({name, moved, std::move(run)});
  };
  add_pooling(device, x32, out32, append);
  add_rows(device, batch, append);
  add_augment(device, batch, append);
  return out_list;
}

}  // namespace ditto::apps
