#include "kernels/map_back.h"

#include "kernels/paste.h"
#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

std::vector<Frame> some_frames() {
  const Frame source = Frame::identity(13, 9);
  return {source.then(Affine::translation(2, 3), 17, 14),
          source.then({-1, 0, 13, 0, 1, 0}, 13, 9).then(Affine::scaling(1.3, 1.4), 17, 14),
          source.then(Affine::rotation(0.2).then(Affine::translation(3, -1)), 17, 14),
          source.then({1, 0, -6, 0, -1, 9}, 17, 14),
          // Cuts before turns, of whole pixels and of parts.
          source.then(Affine::translation(-3, -2), 8, 6)
              .then(Affine::rotation(0.5).then(Affine::translation(5, 2)), 17, 14),
          source.then(Affine::scaling(0.8, 0.9).then(Affine::translation(-2.3, -1)), 7, 6)
              .then(Affine::rotation(-0.4).then(Affine::translation(2, 5)), 9, 8)
              .then(Affine::rotation(0.3).then(Affine::translation(4, 3)), 17, 14)};
}

}  // namespace

TEST_CASE("map_back: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  const std::vector<Frame> frames = some_frames();
  for (const Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const int64_t n : {0, 1, 100}) {
      const Array boxes = random_array({6, n, 4}, dtype, 1, 5, 6);
      expect_same_on_cuda({boxes}, {boxes, boxes, boxes}, dtype == Dtype::F32 ? 1e-6 : 1e-14,
                          [&](auto& ctx, const Views& in, const Views& out) {
                            boxes_back(ctx, in[0], frames, ClipBoxes::No, out[0]);
                            boxes_back(ctx, in[0], frames, ClipBoxes::ToSource, out[1]);
                            boxes_forward(ctx, in[0], frames, out[2]);
                          });
    }
  for (const int64_t classes : {1, 3, 21})
    expect_same_on_cuda({random_array({6, 14, 17, classes}, Dtype::F32, 2)},
                        {Array({6, 9, 13, classes}, Dtype::F32), Array({6, 9, 13}, Dtype::U8)},
                        1e-6, [&](auto& ctx, const Views& in, const Views& out) {
                          class_maps_back(ctx, in[0], frames, out[0], out[1]);
                        });
  for (const Dtype dtype : {Dtype::U8, Dtype::I64})
    expect_same_on_cuda({random_indices({6, 14, 17}, dtype, 3, 200)}, {Array({6, 9, 13}, dtype)}, 0,
                        [&](auto& ctx, const Views& in, const Views& out) {
                          label_maps_back(ctx, in[0], frames, 255, out[0]);
                        });
  std::vector<Frame> upright = frames;
  for (const size_t turned : {2, 4, 5}) upright[turned] = upright[0];
  expect_same_on_cuda({random_array({6, 5, 6, 7}, Dtype::F32, 4)},
                      {Array({6, 5, 6, 7}, Dtype::F32)}, 0,
                      [&](auto& ctx, const Views& in, const Views& out) {
                        roi_masks_back(ctx, in[0], upright, out[0]);
                      });
}

TEST_CASE("paste: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const int64_t channels : {1, 3}) {
    Array weights({3, 6, 7}, Dtype::F32);
    for (int64_t i = 0; i < 126; ++i) weights.set(i, i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : 0.37);
    const Array images = random_array({3, 6, 7, channels}, Dtype::F32, 1);
    expect_same_on_cuda(
        {random_array({3, 6, 7, channels}, Dtype::F32, 2), weights}, {images}, 1e-6,
        [&](auto& ctx, const Views& in, const Views& out) { paste(ctx, in[0], in[1], out[0]); });
  }
}

#endif  // DITTO_HAS_CUDA
