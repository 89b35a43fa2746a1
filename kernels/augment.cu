// Plan. Every output element is written once, in f32; the source, u8 where it is stored, is read
// about once per output pixel (bilinear: four neighbours of which three come from the L1 cache), so
// the writes of the batch are the bound. The host turns each row into a record (kind of map,
// visible pixels, the filter taps of a resampling map by the CPU's own ResampleAxis), and one
// pinned buffer takes all records to the device; nothing waits.
//
// Mapping: a thread per output element, neighbouring threads on neighbouring channels and then
// pixels: writes are whole lines whatever the number of channels. Source coordinates are in double
// as on the CPU (in float a coordinate of 1000 would be off by 1e-4 of a pixel), six operations per
// element. A resampling thread sums over all source pixels under its output pixel, in the CPU's
// order; considered: lines first, as the CPU does, which reads less where an image shrinks a lot
// but needs a second pass over memory.
//
// Changes of colour are other kernels, on what this one wrote (kernels/colour_passes.h).
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/graph_capture.h"
#include "kernels/augment.cuh"
#include "kernels/augment_math.h"
#include "kernels/colour_passes.h"
#include "kernels/cuda_upload.h"
#include "kernels/footprint.h"
#include "kernels/launch.cuh"
#include "kernels/resample.h"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

// Taps of one output index: source indices first ... first + count, weights from `weights` on.
struct Taps {
  int32_t first, count, weights;
};

struct Record {
  int64_t source;
  MapKind kind;
  int32_t taps_x, taps_y;  // Resample: where the taps of output column and line 0 are
  int32_t erase_begin, erase_end;
  Span columns, lines;  // output pixels that show the source
  Shift shift;
  PixelArea area;  // Bilinear: what may be read
  Affine inverse;
  // value * scale + offset; `fill` is what is painted, `outside` a neighbour beyond the border, in
  // units of the source.
  float scale[kMaxChannels], offset[kMaxChannels], fill[kMaxChannels], outside[kMaxChannels];
};

// The footprint of record `record`.
struct FootprintRecord {
  int64_t record;
  Footprint footprint;
};

struct Tables {
  const Record* records;
  const ErasedArea* erased;
  const Taps* taps;
  const float* weights;
  const FootprintRecord* footprints;
  const FootprintWindow* windows;
};

// Channel c of the source's frame at (x, y): of the source at (x - 1, y - 1), or `outside` where
// the area has no such pixel.
template <class T>
__device__ float in_frame(const T* source, Size in, const PixelArea& area, int channels, int c,
                          int x, int y, float outside) {
  if (!area.has(x - 1, y - 1)) return outside;
  return static_cast<float>(source[((y - 1) * in.width + (x - 1)) * channels + c]);
}

template <class T>
__device__ float sample(const T* source, Size in, int channels, int c, const Record& row, int x,
                        int y, const Tables& tables) {
  if (row.kind == MapKind::Shift) {
    const Shift& s = row.shift;
    const int64_t pixel = (s.y0 + s.step_y * y) * in.width + s.x0 + s.step_x * x;
    return static_cast<float>(source[pixel * channels + c]);
  }
  if (row.kind == MapKind::Bilinear) {
    const double y0 = static_cast<double>(y) + 0.5;
    const Tap u =
        tap_at(tap_start_x(row.inverse, y0), row.inverse.a, x, static_cast<double>(in.width + 1));
    const Tap v =
        tap_at(tap_start_y(row.inverse, y0), row.inverse.d, x, static_cast<double>(in.height + 1));
    const float outside = row.outside[c];
    const auto neighbour = [&](int right, int down) {
      return in_frame(source, in, row.area, channels, c, u.index + right, v.index + down, outside);
    };
    return bilinear(neighbour(0, 0), neighbour(1, 0), neighbour(0, 1), neighbour(1, 1), u.part,
                    v.part);
  }
  const Taps across = tables.taps[row.taps_x + x], down = tables.taps[row.taps_y + y];
  float sum = 0;
  for (int i = 0; i < across.count; ++i) {
    const T* from = source + (down.first * in.width + across.first + i) * channels + c;
    float column = 0;
    for (int j = 0; j < down.count; ++j, from += in.width * channels)
      column += tables.weights[down.weights + j] * static_cast<float>(*from);
    sum += tables.weights[across.weights + i] * column;
  }
  return sum;
}

// Channel, column and line of element i of an image.
struct Element {
  int c, x, y;
};
__device__ Element element_at(int i, int width, int channels) {
  const int pixel = i / channels;
  return {i % channels, pixel % width, pixel / width};
}

// Blocks of an image one after another: block = image * per_image + part.
template <class T>
__global__ void __launch_bounds__(kThreads)
    augment_kernel(const T* images, Tables tables, float* out, Size in, Size canvas, int channels,
                   int per_image) {
  const int image = static_cast<int>(blockIdx.x) / per_image;
  const int part = static_cast<int>(blockIdx.x) % per_image;
  const int64_t size = canvas.height * canvas.width * channels;
  const int64_t i = int64_t{part} * kThreads + threadIdx.x;
  if (i >= size) return;
  const auto [c, x, y] = element_at(static_cast<int>(i), static_cast<int>(canvas.width), channels);
  const Record& row = tables.records[image];
  if (row.kind == MapKind::Footprint) return;
  float value = row.fill[c];
  if (row.columns.has(x) && row.lines.has(y) &&
      !is_erased(tables.erased, row.erase_begin, row.erase_end, x, y)) {
    const T* source = images + row.source * in.height * in.width * channels;
    value = sample(source, in, channels, c, row, x, y, tables) * row.scale[c] + row.offset[c];
  }
  out[image * size + i] = value;
}

// The rows that go by footprints, blocks like those of augment_kernel. A kernel of its own, so that
// its registers do not cost other rows their occupancy.
template <class T>
__global__ void __launch_bounds__(kThreads)
    footprint_kernel(const T* images, Tables tables, float* out, Size in, Size canvas, int channels,
                     int per_image) {
  const FootprintRecord& turned = tables.footprints[static_cast<int>(blockIdx.x) / per_image];
  const int part = static_cast<int>(blockIdx.x) % per_image;
  const int64_t size = canvas.height * canvas.width * channels;
  const int64_t i = int64_t{part} * kThreads + threadIdx.x;
  if (i >= size) return;
  const auto [c, x, y] = element_at(static_cast<int>(i), static_cast<int>(canvas.width), channels);
  const Record& row = tables.records[turned.record];
  const Footprint& footprint = turned.footprint;
  float value = row.fill[c];
  if (row.columns.has(x) && row.lines.has(y)) {
    const Point at = centre_in_source(row.inverse, x, y);
    if (footprint.shows(tables.windows, at.x, at.y) &&
        !is_erased(tables.erased, row.erase_begin, row.erase_end, x, y)) {
      const T* source = images + row.source * in.height * in.width * channels + c;
      const float sampled = sample_footprint(
          footprint, tables.windows, at.x, at.y, row.outside[c],
          [&](int u, int v) { return static_cast<float>(source[(v * in.width + u) * channels]); });
      value = sampled * row.scale[c] + row.offset[c];
    }
  }
  out[turned.record * size + i] = value;
}

// The records of a batch.
struct Batch {
  std::vector<Record> records;
  std::vector<ErasedArea> erased;
  std::vector<Taps> taps;
  std::vector<float> weights;
  std::vector<FootprintRecord> footprints;
  std::vector<FootprintWindow> windows;
  ColourPasses colours;

  Batch(std::span<const AugmentRow> rows, Size in, Size canvas, double unit) {
    records.reserve(rows.size());
    for (const AugmentRow& row : rows) add(row, in, canvas, unit);
  }

 private:
  // The taps of one axis; the index of the first.
  int32_t add_axis(const ResampleAxis& axis, int64_t size) {
    const auto start = static_cast<int32_t>(taps.size());
    for (int64_t i = 0; i < size; ++i) {
      Taps tap{0, 0, static_cast<int32_t>(weights.size())};
      if (i >= axis.begin() && i < axis.end()) {
        tap.first = static_cast<int32_t>(axis.first(i));
        tap.count = static_cast<int32_t>(axis.count(i));
        weights.insert(weights.end(), axis.weights(i), axis.weights(i) + axis.count(i));
      }
      taps.push_back(tap);
    }
    return start;
  }

  void add(const AugmentRow& row, Size in, Size canvas, double unit) {
    const bool coloured = !row.colours.empty();
    const auto erase_begin = static_cast<int32_t>(erased.size());
    for (const Erase& erase : row.erase) erased.emplace_back(erase, canvas);
    const auto erase_end = static_cast<int32_t>(erased.size());

    Record record{};
    record.source = row.source;
    record.inverse = row.inverse;
    // Where colours change, the second kernel scales and erases.
    record.erase_begin = erase_begin;
    record.erase_end = coloured ? erase_begin : erase_end;
    for (size_t c = 0; c < kMaxChannels; ++c) {
      const float scale = coloured ? 1.0f : row.scale[c], offset = coloured ? 0.0f : row.offset[c];
      record.scale[c] = static_cast<float>(scale * unit);
      record.offset[c] = offset;
      record.fill[c] = static_cast<float>(double{scale} * row.fill[c] + offset);
      record.outside[c] = static_cast<float>(row.fill[c] / unit);
    }
    record.columns = centres_inside(row.clip.x0, row.clip.x1, canvas.width);
    record.lines = centres_inside(row.clip.y0, row.clip.y1, canvas.height);
    record.area = pixel_area(row.area, in);
    record.kind = kind_of(row, record.shift);
    if (record.kind == MapKind::Shift) {
      const Shift& s = record.shift;
      record.columns = intersect(record.columns,
                                 sources_inside(s.x0, s.step_x, record.area.columns, canvas.width));
      record.lines =
          intersect(record.lines, sources_inside(s.y0, s.step_y, record.area.lines, canvas.height));
    } else if (record.kind == MapKind::Resample) {
      const Affine& m = row.inverse;
      ResampleAxis x, y;
      x.plan(m.a, m.c, row.area.x0, row.area.x1, in.width, canvas.width);
      y.plan(m.e, m.f, row.area.y0, row.area.y1, in.height, canvas.height);
      record.columns = intersect(record.columns, {x.begin(), x.end()});
      record.lines = intersect(record.lines, {y.begin(), y.end()});
      record.taps_x = add_axis(x, canvas.width);
      record.taps_y = add_axis(y, canvas.height);
    } else if (record.kind == MapKind::Footprint) {
      footprints.push_back({static_cast<int64_t>(records.size()), {row, in, windows}});
    }
    if (coloured) colours.add(row, static_cast<int32_t>(records.size()), erase_begin, erase_end);
    records.push_back(record);
  }
};

template <class T>
void run(CudaContext& ctx, const T* images, Batch& batch, float* out, Size in, Size canvas,
         int channels) {
  CudaUpload upload;
  const size_t records = upload.add(batch.records), erased = upload.add(batch.erased),
               taps = upload.add(batch.taps), weights = upload.add(batch.weights),
               footprints = upload.add(batch.footprints), windows = upload.add(batch.windows);
  batch.colours.upload(upload, canvas, channels);
  char* table = upload.send(ctx);
  const Tables tables{reinterpret_cast<const Record*>(table + records),
                      reinterpret_cast<const ErasedArea*>(table + erased),
                      reinterpret_cast<const Taps*>(table + taps),
                      reinterpret_cast<const float*>(table + weights),
                      reinterpret_cast<const FootprintRecord*>(table + footprints),
                      reinterpret_cast<const FootprintWindow*>(table + windows)};
  const int64_t parts = divide_up(canvas.height * canvas.width * channels, kThreads);
  const auto per_image = static_cast<int>(parts);
  const auto rows = static_cast<int64_t>(batch.records.size());
  const auto turned = static_cast<int64_t>(batch.footprints.size());
  if (turned < rows)
    launch(ctx, "augment", augment_kernel<T>, {.grid = rows * parts, .block = kThreads}, images,
           tables, out, in, canvas, channels, per_image);
  if (turned > 0)
    launch(ctx, "augment_footprints", footprint_kernel<T>,
           {.grid = turned * parts, .block = kThreads}, images, tables, out, in, canvas, channels,
           per_image);
  batch.colours.run(ctx, table, tables.erased, out, canvas, channels);
}

}  // namespace

void augment(CudaContext& ctx, const View& images, std::span<const AugmentRow> rows,
             const View& out) {
  refuse_capture("augment", "each batch has its own transforms");
  check_augment(images, rows, out);
  if (rows.empty()) return;
  const Size in{images.shape[1], images.shape[2]}, canvas{out.shape[1], out.shape[2]};
  const auto channels = static_cast<int>(images.shape[3]);
  check(canvas.height * canvas.width * channels <= INT32_MAX &&
            in.height * in.width * channels <= INT32_MAX,
        "[augment] images of more than 2^31 elements:", images.shape, out.shape);
  const bool bytes = images.dtype == Dtype::U8;
  Batch batch(rows, in, canvas, bytes ? 1.0 / 255 : 1.0);
  if (bytes)
    run(ctx, images.as<uint8_t>(), batch, out.as<float>(), in, canvas, channels);
  else
    run(ctx, images.as<float>(), batch, out.as<float>(), in, canvas, channels);
}

}  // namespace ditto::kernels
