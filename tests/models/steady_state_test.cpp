// A training step in steady state asks nobody for memory: tensors (and oneDNN's scratchpads) come
// from the caching allocator, autograd's nodes and lists from the pool.
#include <vector>

#include "core/context.h"
#include "core/rng.h"
#include "losses/losses.h"
#include "models/densenet.h"
#include "models/resnet_cifar.h"
#include "nn/init.h"
#include "nn/optim/ema.h"
#include "nn/optim/sgd.h"
#include "tests/support/catch.h"
#include "tests/support/heap.h"

namespace ditto {
namespace {

// Calls of malloc and system allocations of tensors during `steps` training steps, after a warm-up.
struct Calls {
  int64_t heap = 0, own_heap = 0, storage = 0;
};
Calls calls_of_training(nn::Layer& model, Dtype dtype, int steps, bool loss_transform = false) {
  nn::init(model, 1);
  model.to(dtype);
  nn::Sgd optimizer(nn::parameter_groups(model, 1e-4), {.lr = 0.01});
  Rng rng(1);
  std::vector<float> pixels(4 * 32 * 32 * 3);
  for (float& pixel : pixels) pixel = rng.uniform_float();
  const Tensor images = Tensor::from(pixels, {4, 32, 32, 3}, dtype);
  const Tensor labels = Tensor::from<int64_t>({0, 0, 9, 9}, {4});
  const Tensor groups = Tensor::from<int64_t>({0, 0, 1, 1}, {4});
  nn::Ema ema(model, {.decay = 0.9});
  const losses::ClassificationLoss loss = losses::make_loss(loss_transform ? "t-cce" : "cce", {});
  const auto step = [&] {
    optimizer.zero_grad();
    loss(model(images), labels, groups).backward();
    optimizer.step();
    ema.update();
  };
  for (int i = 0; i < 3; ++i) step();
  const auto now = [] {
    return Calls{testing::heap_calls(), testing::own_heap_calls(),
                 memory_stats().system_allocations};
  };
  const Calls before = now();
  for (int i = 0; i < steps; ++i) step();
  const Calls after = now();
  return {after.heap - before.heap, after.own_heap - before.own_heap,
          after.storage - before.storage};
}

}  // namespace

TEST_CASE("training steps in steady state ask the system for no tensor memory") {
#ifdef __SANITIZE_ADDRESS__
  DITTO_SKIP("under AddressSanitizer every block is its own allocation");
#endif
  models::ResNetCifar model({.depth = 8});
  REQUIRE(calls_of_training(model, Dtype::F32, 5).storage == 0);
}

// oneDNN 2.6 makes a few small allocations in every dnnl_primitive_execute (its argument table): in
// f32 only the calls that are not its own are counted, f64 does without it. On one thread, because
// our f64 convolution (and a dense block's convolutions in f32) take workspace in every thread: how
// many are alive at once is a matter of timing.
TEST_CASE("training steps in steady state never call malloc") {
  if (!testing::heap_is_counted()) DITTO_SKIP("the sanitizer brings its own malloc");
  const int threads = num_threads();
  set_num_threads(1);
  models::ResNetCifar resnet({.depth = 8});
  models::DenseNet plain({.depth = 7}), bottleneck({.depth = 10, .bottleneck = true});
  for (nn::Layer* model : std::initializer_list<nn::Layer*>{&resnet, &plain, &bottleneck}) {
    for (const bool loss_transform : {false, true}) {
      const Calls calls = calls_of_training(*model, Dtype::F64, 3, loss_transform);
      CHECK(calls.heap == 0);
      CHECK(calls.storage == 0);
      const Calls fast = calls_of_training(*model, Dtype::F32, 3, loss_transform);
      CHECK(fast.own_heap == 0);
      CHECK(fast.heap > 0);  // oneDNN's: the count is alive
      CHECK(fast.storage == 0);
    }
  }
  models::DenseNet single({.depth = 7});
  CHECK(calls_of_training(single, Dtype::F32, 3).storage == 0);
  set_num_threads(threads);
}

}  // namespace ditto
