// Plan. Every output element is written once. Boxes: a thread per box, a few thousand of them; the
// four coordinates are read one by one, the last three out of the L1 cache (considered: packs,
// which need aligned boxes and save nothing at this size). RoI masks: a thread per element; a
// reversed line is read backwards within the same sectors. Dense maps: a thread per element of the
// output, neighbouring threads on neighbouring classes and then pixels, so writes are whole lines;
// of the four neighbours that a pixel blends, three come from the L1 cache. Each image's record
// comes by one asynchronous copy (kernels/cuda_upload.h).
#include "core/graph_capture.h"
#include "kernels/cuda_upload.h"
#include "kernels/launch.cuh"
#include "kernels/map_back_math.h"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

// Row: BoxBackRow or Affine, one per image.
template <class T, class Row>
__global__ void __launch_bounds__(kThreads, 1)
    map_boxes_kernel(const T* boxes, const Row* rows, T* out, int64_t count, int64_t per_image) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < count) map_box(rows[i / per_image], boxes + 4 * i, out + 4 * i);
}

__global__ void __launch_bounds__(kThreads, 1)
    roi_masks_kernel(const float* masks, const RoiFlip* flips, float* out, int64_t count,
                     int64_t per_image, int height, int width) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t line = i / width;
  const int x = static_cast<int>(i - line * width), y = static_cast<int>(line % height);
  const RoiFlip flip = flips[i / per_image];
  const int64_t from = line + (flip.rows ? height - 1 - 2 * y : 0);
  out[i] = masks[from * width + (flip.columns ? width - 1 - x : x)];
}

__global__ void __launch_bounds__(kThreads, 1)
    class_maps_kernel(const float* maps, const NearestLookup* rows, const Window* windows,
                      float* out, uint8_t* seen, int64_t count, int64_t height, int64_t width,
                      int64_t channels, int64_t map_height, int64_t map_width) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t pixel = i / channels, k = i - pixel * channels;
  const int64_t line = pixel / width, image = line / height;
  const NearestLookup& row = rows[image];
  double u = 0, v = 0;
  const bool shown = row.find(windows, static_cast<int>(pixel - line * width),
                              static_cast<int>(line - image * height), u, v);
  float value = 0;
  if (shown)
    value = interpolate(maps + image * map_height * map_width * channels, map_width, channels, k,
                        between(u, row.columns), between(v, row.rows));
  out[i] = value;
  if (k == 0) seen[pixel] = shown ? 1 : 0;
}

template <class T>
__global__ void __launch_bounds__(kThreads, 1)
    label_maps_kernel(const T* labels, const NearestLookup* rows, const Window* windows, T* out,
                      T outside, int64_t count, int64_t height, int64_t width, int64_t map_height,
                      int64_t map_width) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t line = i / width, image = line / height;
  const NearestLookup& row = rows[image];
  int u = 0, v = 0;
  T value = outside;
  if (row.find(windows, static_cast<int>(i - line * width), static_cast<int>(line - image * height),
               u, v))
    value = labels[(image * map_height + v) * map_width + u];
  out[i] = value;
}

const char* send(CudaContext& ctx, const CudaUpload& upload) {
  refuse_capture("map_back", "each batch has its own frames");
  return upload.send(ctx);
}
template <class T>
const T* send(CudaContext& ctx, const std::vector<T>& rows) {
  CudaUpload upload;
  upload.add(rows);
  return reinterpret_cast<const T*>(send(ctx, upload));
}

// A DenseBack on the device.
struct DenseTable {
  const NearestLookup* rows;
  const Window* windows;
  DenseTable(CudaContext& ctx, std::span<const Frame> frames) {
    const DenseBack back(frames);
    CudaUpload upload;
    const size_t first = upload.add(back.rows), second = upload.add(back.windows);
    const char* table = send(ctx, upload);
    rows = reinterpret_cast<const NearestLookup*>(table + first);
    windows = reinterpret_cast<const Window*>(table + second);
  }
};

LaunchConfig threads_for(int64_t count) {
  return {.grid = divide_up(count, kThreads), .block = kThreads};
}

template <class Row>
void map_boxes(CudaContext& ctx, const char* name, const View& boxes, const std::vector<Row>& rows,
               const View& out) {
  const int64_t per_image = boxes.shape[1], count = boxes.shape[0] * per_image;
  if (count == 0) return;
  const Row* table = send(ctx, rows);
  if (boxes.dtype == Dtype::F32)
    launch(ctx, name, map_boxes_kernel<float, Row>, threads_for(count), boxes.as<float>(), table,
           out.as<float>(), count, per_image);
  else
    launch(ctx, name, map_boxes_kernel<double, Row>, threads_for(count), boxes.as<double>(), table,
           out.as<double>(), count, per_image);
}

}  // namespace

void boxes_back(CudaContext& ctx, const View& boxes, std::span<const Frame> frames, ClipBoxes clip,
                const View& out) {
  check_boxes("boxes_back", boxes, frames, out);
  map_boxes(ctx, "boxes_back", boxes, box_back_rows(frames, clip), out);
}

void boxes_forward(CudaContext& ctx, const View& boxes, std::span<const Frame> frames,
                   const View& out) {
  check_boxes("boxes_forward", boxes, frames, out);
  map_boxes(ctx, "boxes_forward", boxes, frame_maps(frames), out);
}

void roi_masks_back(CudaContext& ctx, const View& masks, std::span<const Frame> frames,
                    const View& out) {
  check_roi_masks(masks, frames, out);
  std::vector<RoiFlip> flips;
  for (const Frame& frame : frames) flips.push_back(roi_flip(frame.map));
  const int64_t count = masks.numel();
  if (count == 0) return;
  launch(ctx, "roi_masks_back", roi_masks_kernel, threads_for(count), masks.as<float>(),
         send(ctx, flips), out.as<float>(), count, count / masks.shape[0],
         static_cast<int>(masks.shape[2]), static_cast<int>(masks.shape[3]));
}

void class_maps_back(CudaContext& ctx, const View& maps, std::span<const Frame> frames,
                     const View& out, const View& seen) {
  check_class_maps(maps, frames, out, seen);
  const int64_t count = out.numel();
  if (count == 0) return;
  const DenseTable table(ctx, frames);
  launch(ctx, "class_maps_back", class_maps_kernel, threads_for(count), maps.as<float>(),
         table.rows, table.windows, out.as<float>(), seen.as<uint8_t>(), count, out.shape[1],
         out.shape[2], out.shape[3], maps.shape[1], maps.shape[2]);
}

void label_maps_back(CudaContext& ctx, const View& labels, std::span<const Frame> frames,
                     int64_t outside, const View& out) {
  check_label_maps(labels, frames, out);
  const int64_t count = out.numel(), height = out.shape[1], width = out.shape[2];
  const bool bytes = labels.dtype == Dtype::U8;
  check(!bytes || (outside >= 0 && outside <= 255),
        "[map_back] label_maps_back: outside in [0, 255] for u8, got", outside);
  if (count == 0) return;
  const DenseTable table(ctx, frames);
  if (bytes)
    launch(ctx, "label_maps_back", label_maps_kernel<uint8_t>, threads_for(count),
           labels.as<uint8_t>(), table.rows, table.windows, out.as<uint8_t>(),
           static_cast<uint8_t>(outside), count, height, width, labels.shape[1], labels.shape[2]);
  else
    launch(ctx, "label_maps_back", label_maps_kernel<int64_t>, threads_for(count),
           labels.as<int64_t>(), table.rows, table.windows, out.as<int64_t>(), outside, count,
           height, width, labels.shape[1], labels.shape[2]);
}

}  // namespace ditto::kernels
