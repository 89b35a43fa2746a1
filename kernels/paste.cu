// Plan. In place: a pixel with weight 0 is not touched, one with weight 1 is written and not read;
// pasted objects cover a part of the image, so the fewest bytes are the weights, and source and
// image where they are not 0. A thread per element, neighbouring threads on neighbouring channels:
// whole lines wherever anything is pasted. Every thread reads its pixel's weight, `channels`
// threads the same one (a broadcast). Considered: a thread per pixel (12 bytes of each of its
// neighbours' 32-byte sectors at a time), a list of the pasted pixels (to be made and copied).
#include "kernels/launch.cuh"
#include "kernels/paste.h"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    paste_kernel(const float* source, const float* weights, float* images, int64_t size,
                 int channels) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= size) return;
  const float w = weights[i / channels];
  if (w == 0.0f) return;
  const float value = source[i];
  images[i] = w == 1.0f ? value : w * value + (1 - w) * images[i];
}

}  // namespace

void paste(CudaContext& ctx, const View& source, const View& weights, const View& images) {
  check_paste(source, weights, images);
  const int64_t size = images.numel();
  if (size == 0) return;
  launch(ctx, "paste", paste_kernel, {.grid = divide_up(size, kThreads), .block = kThreads},
         source.as<float>(), weights.as<float>(), images.as<float>(), size,
         static_cast<int>(images.shape[3]));
}

}  // namespace ditto::kernels
