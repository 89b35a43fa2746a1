// Plan. Each output element is written once and one or two inputs are read: own where it stays,
// partner's inside a CutMix box, both for mixup; the minimum. 16-byte packs where an image's size
// allows; a pack that the border of a box cuts is read from both images. Rows' records come by one
// asynchronous copy (kernels/cuda_upload.h). Considered: a launch per kind of mixing (rows of one
// kind are not next to each other; the branch is the same for whole blocks).
//
// Labels: a thread per target; a bad label is reported by the next synchronising call
// (core/cuda_fault.h).
#include "core/graph_capture.h"
#include "kernels/cuda_upload.h"
#include "kernels/fault.cuh"
#include "kernels/mix.h"
#include "kernels/vector.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

// block = image * per_image + part; `size` elements an image, `line` elements a line of pixels.
template <int P>
__global__ void __launch_bounds__(kThreads)
    mix_kernel(const float* images, const MixRow* rows, float* out, int64_t size, int line,
               int channels, int per_image) {
  const int64_t image = static_cast<int>(blockIdx.x) / per_image;
  const int part = static_cast<int>(blockIdx.x) % per_image;
  const int64_t i = (int64_t{part} * kThreads + threadIdx.x) * P;
  if (i >= size) return;
  const MixRow row = rows[image];
  const float *own = images + image * size + i, *other = images + row.partner * size + i;
  if (row.kind == MixKind::Mixup) {
    Pack<float, P> a = load_pack<P>(own);
    const Pack<float, P> b = load_pack<P>(other);
    for (int k = 0; k < P; ++k) a.v[k] = row.keep * a.v[k] + (1 - row.keep) * b.v[k];
    store_pack(out + image * size + i, a);
    return;
  }
  unsigned inside = 0;
  if (row.kind == MixKind::CutMix)
    for (int k = 0; k < P; ++k) {
      const int at = static_cast<int>(i) + k, y = at / line, x = at % line / channels;
      if (x >= row.box.x0 && x < row.box.x1 && y >= row.box.y0 && y < row.box.y1) inside |= 1u << k;
    }
  constexpr unsigned kAll = (1u << P) - 1;
  Pack<float, P> a;
  if (inside != kAll) a = load_pack<P>(own);
  if (inside != 0) {
    const Pack<float, P> b = load_pack<P>(other);
    for (int k = 0; k < P; ++k) a.v[k] = inside >> k & 1u ? b.v[k] : a.v[k];
  }
  store_pack(out + image * size + i, a);
}

__global__ void __launch_bounds__(kThreads)
    labels_kernel(const int64_t* labels, const MixRow* rows, float* targets, int64_t batch,
                  int64_t classes, CudaFault* fault) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= batch * classes) return;
  const int64_t r = i / classes, c = i % classes;
  const MixRow row = rows[r];
  const int64_t label = labels[r];
  if (c == 0 && (label < 0 || label >= classes))
    report_fault(fault, FaultKind::MixLabel, label, r, classes);
  const bool mixed = row.kind != MixKind::None;
  float target = label == c ? (mixed ? row.keep : 1.0f) : 0.0f;
  if (mixed && labels[row.partner] == c) target += 1 - row.keep;
  targets[i] = target;
}

const MixRow* send(CudaContext& ctx, std::span<const MixRow> rows) {
  CudaUpload upload;
  upload.add(rows.data(), rows.size());
  return reinterpret_cast<const MixRow*>(upload.send(ctx));
}

}  // namespace

void mix_images(CudaContext& ctx, const View& images, std::span<const MixRow> rows,
                const View& out) {
  refuse_capture("mix_images", "each batch has its own partners");
  check_mix_images(images, rows, out);
  const int64_t batch = images.shape[0], channels = images.shape[3],
                line = images.shape[2] * channels, size = images.shape[1] * line;
  if (batch * size == 0) return;
  check(size <= INT32_MAX, "[mix_images] images of more than 2^31 elements:", images.shape);
  const float* from = images.as<float>();
  float* to = out.as<float>();
  const MixRow* table = send(ctx, rows);
  with_pack<float>(size % kPack<float> == 0 && aligned16(from, to), [&](auto pack) {
    constexpr int P = decltype(pack)::value;
    const int64_t per_image = divide_up(size / P, kThreads);
    launch(ctx, "mix_images", mix_kernel<P>, {.grid = batch * per_image, .block = kThreads}, from,
           table, to, size, static_cast<int>(line), static_cast<int>(channels),
           static_cast<int>(per_image));
  });
}

void mix_labels(CudaContext& ctx, const View& labels, std::span<const MixRow> rows,
                const View& targets) {
  refuse_capture("mix_labels", "each batch has its own partners");
  check_mix_labels(labels, rows, targets);
  const int64_t batch = targets.shape[0], classes = targets.shape[1];
  if (batch * classes == 0) return;
  launch(ctx, "mix_labels", labels_kernel,
         {.grid = divide_up(batch * classes, kThreads), .block = kThreads}, labels.as<int64_t>(),
         send(ctx, rows), targets.as<float>(), batch, classes, ctx.fault());
}

}  // namespace ditto::kernels
