#include "core/on_device.h"
#include "kernels/mix.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

TEST_CASE("mix_images and mix_labels: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Shape& shape : {Shape{5, 7, 9, 1}, Shape{6, 8, 8, 3}, Shape{33, 5, 6, 4}}) {
    INFO(to_string(shape));
    std::vector<MixRow> rows;
    Rng rng(1);
    for (int64_t i = 0; i < shape[0]; ++i) {
      MixRow row{static_cast<MixKind>(i % 3),
                 static_cast<int64_t>(rng.below(static_cast<uint64_t>(shape[0]))),
                 rng.uniform_float(),
                 {}};
      row.box = {static_cast<int>(i % 3), 1, 3 + static_cast<int>(i % 4), 5};
      rows.push_back(row);
    }
    expect_same_on_cuda({random_array(shape, Dtype::F32, 2)}, {Array(shape, Dtype::F32)}, 1e-6,
                        [&](auto& ctx, const Views& in, const Views& out) {
                          mix_images(ctx, in[0], rows, out[0]);
                        });
    expect_same_on_cuda({random_indices({shape[0]}, Dtype::I64, 3, 10)},
                        {Array({shape[0], 10}, Dtype::F32)}, 1e-7,
                        [&](auto& ctx, const Views& in, const Views& out) {
                          mix_labels(ctx, in[0], rows, out[0]);
                        });
  }
}

TEST_CASE("mix on CUDA: bad arguments throw at once, a bad label where the host waits", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  CudaContext& ctx = cuda_context(0);
  const Array pixels = random_array({2, 4, 4, 1}, Dtype::F32, 1);
  Array classes({2}, Dtype::I64);
  classes.data<int64_t>()[1] = 10;
  const OnDevice images(ctx, pixels, 0), labels(ctx, classes, 0),
      targets(ctx, Array({2, 10}, Dtype::F32), 0);
  const std::vector<MixRow> rows(2);
  REQUIRE_THROWS_WITH(mix_images(ctx, images.view(), rows, images.view()),
                      contains("share memory"));
  mix_labels(ctx, labels.view(), rows, targets.view());
  REQUIRE_THROWS_WITH(ctx.synchronize(),
                      contains("[mix_labels] label 10 of row 1 is outside [0, K), K = 10"));
}

#endif  // DITTO_HAS_CUDA
