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
// Changes of colour need all channels of a pixel, and a change of contrast the mean of the image so
// far. Rows that have some go through passes in place, a thread per pixel, each up to the next
// change of contrast, whose mean the pass sums up per block and a small kernel finishes. Its
// accesses are 12 bytes apart: a third of each sector per access, the rest out of the L1 cache. A
// blur also ends a pass: one kernel along the lines into a second image, one along the columns
// back, a thread per element, whose neighbours come out of the L1 (lines) and L2 caches (columns).
// Considered: one block per image for all passes (fewer launches, but a photograph would keep one
// multiprocessor busy).
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/graph_capture.h"
#include "kernels/augment_math.h"
#include "kernels/blur.h"
#include "kernels/colour_math.h"
#include "kernels/cuda_upload.h"
#include "kernels/launch.cuh"
#include "kernels/resample.h"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

// Taps of one output index: source indices first ... first + count, weights from `weights` on.
struct Taps {
  int32_t first, count, weights;
};

enum class MapKind : int32_t { Shift, Bilinear, Resample };

struct Record {
  int64_t source;
  MapKind kind;
  int32_t taps_x, taps_y;  // Resample: where the taps of output column and line 0 are
  int32_t erase_begin, erase_end;
  Span columns, lines;  // output pixels that show the source
  Shift shift;
  Affine inverse;
  // value * scale + offset; `fill` is what is painted, `outside` a neighbour beyond the border, in
  // units of the source.
  float scale[kMaxChannels], offset[kMaxChannels], fill[kMaxChannels], outside[kMaxChannels];
};

struct Change {
  ColourKind kind;
  float factor;
  float scale[kMaxChannels], offset[kMaxChannels];
};

// A row whose colours change: those of output image `image`. Then value * scale + offset; erased
// pixels show the fill, which changes likewise.
struct ColourRecord {
  int32_t image, erase_begin, erase_end;
  int32_t blurred;  // its place among the images that are blurred, or -1
  float scale[kMaxChannels], offset[kMaxChannels], fill[kMaxChannels];
};

// The changes [begin, end) that a row makes in a pass; none (begin < 0) after its last one. Then a
// blur, where it has a radius, whose 2 radius + 1 weights start at `weights`.
struct Segment {
  int32_t begin = -1, end = -1;
  int32_t radius = 0, weights = 0;
  bool last = false;
};

struct ColourTables {
  const ColourRecord* records;
  const Segment* segments;  // (passes, rows)
  const Change* changes;
  const ErasedArea* erased;
  const float* weights;
  float* blurred;  // one image for each row that has a blur
  // Per row: the mean that the pass uses, the fill so far (4 each); per row and block: sums of
  // grey.
  float *means, *fills;
  double* sums;
};

struct Tables {
  const Record* records;
  const ErasedArea* erased;
  const Taps* taps;
  const float* weights;
};

__device__ bool is_erased(const ErasedArea* areas, int begin, int end, int64_t x, int64_t y) {
#pragma unroll 1  // unrolled, the barrier registers of the branches spill
  for (int e = begin; e < end; ++e)
    if (areas[e].columns.has(x) && areas[e].lines.has(y) && areas[e].covers(x, y)) return true;
  return false;
}

// Channel c of the source's frame at (x, y): of the source at (x - 1, y - 1), or `outside`.
template <class T>
__device__ float in_frame(const T* source, Size in, int channels, int c, int x, int y,
                          float outside) {
  if (x < 1 || y < 1 || x > in.width || y > in.height) return outside;
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
    return bilinear(in_frame(source, in, channels, c, u.index, v.index, outside),
                    in_frame(source, in, channels, c, u.index + 1, v.index, outside),
                    in_frame(source, in, channels, c, u.index, v.index + 1, outside),
                    in_frame(source, in, channels, c, u.index + 1, v.index + 1, outside), u.part,
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
  const auto element = static_cast<int>(i), width = static_cast<int>(canvas.width);
  const int c = element % channels, pixel = element / channels;
  const int x = pixel % width, y = pixel / width;
  const Record& row = tables.records[image];
  float value = row.fill[c];
  if (row.columns.has(x) && row.lines.has(y) &&
      !is_erased(tables.erased, row.erase_begin, row.erase_end, x, y)) {
    const T* source = images + row.source * in.height * in.width * channels;
    value = sample(source, in, channels, c, row, x, y, tables) * row.scale[c] + row.offset[c];
  }
  out[image * size + i] = value;
}

template <int C>
__device__ void change_pixel(const Change& change, float mean, float* p) {
  switch (change.kind) {
    case ColourKind::Brightness:
    case ColourKind::Contrast: {
      const float rest = change.kind == ColourKind::Contrast ? (1 - change.factor) * mean : 0.0f;
      for (int c = 0; c < C; ++c) p[c] = blended(change.factor, p[c], rest);
      return;
    }
    case ColourKind::Saturation:
      if constexpr (C == 3) saturate(change.factor, p);
      return;
    case ColourKind::Hue:
      if constexpr (C == 3) turn_hue(change.factor, p);
      return;
    case ColourKind::Affine:
      for (int c = 0; c < C; ++c) p[c] = change.scale[c] * p[c] + change.offset[c];
      return;
    case ColourKind::Solarize:
      for (int c = 0; c < C; ++c) p[c] = solarized(change.factor, p[c]);
      return;
    case ColourKind::Blur:  // between passes
      return;
  }
}

// One pass over the pixels of the images, in place. `segments` are those of the pass.
template <int C>
__global__ void __launch_bounds__(kThreads)
    colour_kernel(float* out, ColourTables tables, const Segment* segments, bool first, Size canvas,
                  int per_image) {
  SHARED_ARRAY(double, scratch, kWarp);
  const int r = static_cast<int>(blockIdx.x) / per_image;
  const int part = static_cast<int>(blockIdx.x) % per_image;
  const Segment segment = segments[r];
  if (segment.begin < 0) return;
  const ColourRecord& row = tables.records[r];
  const auto width = static_cast<int>(canvas.width),
             pixels = width * static_cast<int>(canvas.height);
  const int i = part * kThreads + static_cast<int>(threadIdx.x);
  const float mean = first ? 0.0f : tables.means[r];
  const float* fill_so_far = first ? row.fill : tables.fills + r * kMaxChannels;
  double sum = 0;
  if (i < pixels) {
    float p[C];
    float* at = out + (int64_t{row.image} * pixels + i) * C;
    const bool gone = segment.last && is_erased(tables.erased, row.erase_begin, row.erase_end,
                                                i % width, i / width);
    for (int c = 0; c < C; ++c) p[c] = gone ? fill_so_far[c] : at[c];
#pragma unroll 1
    for (int k = segment.begin; k < segment.end; ++k) change_pixel<C>(tables.changes[k], mean, p);
    if (!segment.last) sum = static_cast<double>(C == 3 ? grey(p) : p[0]);
    for (int c = 0; c < C; ++c) {
      if (gone)  // in double, as the fill of an image whose colours stay
        p[c] = static_cast<float>(static_cast<double>(row.scale[c]) * static_cast<double>(p[c]) +
                                  static_cast<double>(row.offset[c]));
      else if (segment.last)
        p[c] = p[c] * row.scale[c] + row.offset[c];
      at[c] = p[c];
    }
  }
  if (segment.last) return;
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) tables.sums[static_cast<int64_t>(r) * per_image + part] = sum;
}

// A block per row, after a pass: the mean for the next one, and the fill after this one.
template <int C>
__global__ void __launch_bounds__(kThreads)
    colour_mean_kernel(ColourTables tables, const Segment* segments, bool first, int64_t pixels,
                       int per_image) {
  SHARED_ARRAY(double, scratch, kWarp);
  const int r = static_cast<int>(blockIdx.x);
  const Segment segment = segments[r];
  if (segment.begin < 0 || segment.last) return;
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < per_image; i += kThreads)
    sum += tables.sums[static_cast<int64_t>(r) * per_image + i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x != 0) return;
  float fill[C];
  for (int c = 0; c < C; ++c)
    fill[c] = first ? tables.records[r].fill[c] : tables.fills[r * kMaxChannels + c];
  const float mean = first ? 0.0f : tables.means[r];
#pragma unroll 1
  for (int k = segment.begin; k < segment.end; ++k) change_pixel<C>(tables.changes[k], mean, fill);
  for (int c = 0; c < C; ++c) tables.fills[r * kMaxChannels + c] = fill[c];
  tables.means[r] = static_cast<float>(sum / static_cast<double>(pixels));
}

// The blur after a pass, along the lines (out -> blurred) or along the columns (back).
template <bool kColumns>
__global__ void __launch_bounds__(kThreads)
    blur_kernel(float* out, ColourTables tables, const Segment* segments, Size canvas, int channels,
                int per_image) {
  const int r = static_cast<int>(blockIdx.x) / per_image;
  const int part = static_cast<int>(blockIdx.x) % per_image;
  const Segment segment = segments[r];
  const ColourRecord& row = tables.records[r];
  const int width = static_cast<int>(canvas.width), height = static_cast<int>(canvas.height);
  const int size = width * height * channels, i = part * kThreads + static_cast<int>(threadIdx.x);
  if (segment.radius == 0 || i >= size) return;
  float* image = out + int64_t{row.image} * size;
  float* other = tables.blurred + int64_t{row.blurred} * size;
  const float* from = kColumns ? other : image;
  const int x = i / channels % width, y = i / channels / width;
  const int at = kColumns ? y : x, limit = kColumns ? height : width;
  const int step = kColumns ? width * channels : channels, start = i - at * step;
  float sum = 0;
#pragma unroll 1
  for (int t = -segment.radius; t <= segment.radius; ++t)
    sum += tables.weights[segment.weights + segment.radius + t] *
           from[start + mirrored(at + t, limit) * step];
  (kColumns ? image : other)[i] = sum;
}

void copy_channels(const ChannelValues& from, float* to) {
  std::copy(from.begin(), from.end(), to);
}

// The records of a batch.
struct Batch {
  std::vector<Record> records;
  std::vector<ErasedArea> erased;
  std::vector<Taps> taps;
  std::vector<float> weights;
  std::vector<ColourRecord> coloured;
  std::vector<Change> changes;
  std::vector<std::vector<Segment>> passes;  // of `coloured`
  int32_t blurred = 0;                       // images with a blur

  Batch(std::span<const AugmentRow> rows, Size in, Size canvas, double unit) {
    records.reserve(rows.size());
    for (const AugmentRow& row : rows) add(row, in, canvas, unit);
    for (auto& pass : passes) pass.resize(coloured.size());
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
    const bool colours = !row.colours.empty();
    const auto erase_begin = static_cast<int32_t>(erased.size());
    for (const Erase& erase : row.erase) erased.emplace_back(erase, canvas);
    const auto erase_end = static_cast<int32_t>(erased.size());

    Record record{};
    record.source = row.source;
    record.inverse = row.inverse;
    // Where colours change, the second kernel scales and erases.
    record.erase_begin = erase_begin;
    record.erase_end = colours ? erase_begin : erase_end;
    for (size_t c = 0; c < kMaxChannels; ++c) {
      const float scale = colours ? 1.0f : row.scale[c], offset = colours ? 0.0f : row.offset[c];
      record.scale[c] = static_cast<float>(scale * unit);
      record.offset[c] = offset;
      record.fill[c] = static_cast<float>(double{scale} * row.fill[c] + offset);
      record.outside[c] = static_cast<float>(row.fill[c] / unit);
    }
    record.columns = centres_inside(row.clip.x0, row.clip.x1, canvas.width);
    record.lines = centres_inside(row.clip.y0, row.clip.y1, canvas.height);
    const Affine& m = row.inverse;
    if (whole_pixels(m, record.shift)) {
      const Shift& s = record.shift;
      record.kind = MapKind::Shift;
      record.columns =
          intersect(record.columns, sources_inside(s.x0, s.step_x, in.width, canvas.width));
      record.lines =
          intersect(record.lines, sources_inside(s.y0, s.step_y, in.height, canvas.height));
    } else if (is_upright(m) && std::isfinite(row.area.area())) {
      record.kind = MapKind::Resample;
      ResampleAxis x, y;
      x.plan(m.a, m.c, row.area.x0, row.area.x1, in.width, canvas.width);
      y.plan(m.e, m.f, row.area.y0, row.area.y1, in.height, canvas.height);
      record.columns = intersect(record.columns, {x.begin(), x.end()});
      record.lines = intersect(record.lines, {y.begin(), y.end()});
      record.taps_x = add_axis(x, canvas.width);
      record.taps_y = add_axis(y, canvas.height);
    } else {
      record.kind = MapKind::Bilinear;
    }
    if (colours) add_colours(row, erase_begin, erase_end);
    records.push_back(record);
  }

  void add_colours(const AugmentRow& row, int32_t erase_begin, int32_t erase_end) {
    // A pass ends before a change of contrast and at the end.
    auto begin = static_cast<int32_t>(changes.size());
    size_t pass = 0;
    const auto end_pass = [&](bool last) -> Segment& {
      if (pass == passes.size()) passes.emplace_back();
      passes[pass].resize(coloured.size() + 1);
      const auto end = static_cast<int32_t>(changes.size());
      Segment& segment = passes[pass++][coloured.size()];
      segment.begin = begin, segment.end = end, segment.last = last;
      begin = end;
      return segment;
    };
    ColourRecord record{};
    record.blurred = -1;
    for (const ColourChange& change : row.colours) {
      if (change.kind == ColourKind::Contrast) end_pass(false);
      if (change.kind == ColourKind::Blur) {
        Segment& segment = end_pass(false);
        segment.radius = change.radius;
        segment.weights = static_cast<int32_t>(weights.size());
        const std::vector<float> more = blur_weights(change);
        weights.insert(weights.end(), more.begin(), more.end());
        if (record.blurred < 0) record.blurred = blurred++;
        continue;
      }
      Change copy{change.kind, change.factor, {}, {}};
      copy_channels(change.scale, copy.scale);
      copy_channels(change.offset, copy.offset);
      changes.push_back(copy);
    }
    end_pass(true);
    record.image = static_cast<int32_t>(records.size());
    record.erase_begin = erase_begin, record.erase_end = erase_end;
    copy_channels(row.scale, record.scale);
    copy_channels(row.offset, record.offset);
    copy_channels(row.fill, record.fill);
    coloured.push_back(record);
  }
};

template <int C>
void run_passes(CudaContext& ctx, const ColourTables& tables, const Batch& batch, float* out,
                Size canvas, int per_image) {
  const auto rows = static_cast<int64_t>(batch.coloured.size());
  const int64_t pixels = canvas.height * canvas.width;
  for (size_t pass = 0; pass < batch.passes.size(); ++pass) {
    const Segment* segments = tables.segments + static_cast<int64_t>(pass) * rows;
    launch(ctx, "change_colours", colour_kernel<C>, {.grid = rows * per_image, .block = kThreads},
           out, tables, segments, pass == 0, canvas, per_image);
    if (pass + 1 < batch.passes.size())
      launch(ctx, "change_colours_mean", colour_mean_kernel<C>, {.grid = rows, .block = kThreads},
             tables, segments, pass == 0, pixels, per_image);
    if (std::ranges::any_of(batch.passes[pass], [](const Segment& s) { return s.radius > 0; })) {
      const int64_t parts = divide_up(pixels * C, kThreads);
      launch(ctx, "blur_lines", blur_kernel<false>, {.grid = rows * parts, .block = kThreads}, out,
             tables, segments, canvas, C, static_cast<int>(parts));
      launch(ctx, "blur_columns", blur_kernel<true>, {.grid = rows * parts, .block = kThreads}, out,
             tables, segments, canvas, C, static_cast<int>(parts));
    }
  }
}

template <class T>
void run(CudaContext& ctx, const T* images, const Batch& batch, float* out, Size in, Size canvas,
         int channels) {
  CudaUpload upload;
  const size_t records = upload.add(batch.records), erased = upload.add(batch.erased),
               taps = upload.add(batch.taps), weights = upload.add(batch.weights),
               coloured = upload.add(batch.coloured), changes = upload.add(batch.changes);
  std::vector<Segment> flat;
  for (const auto& pass : batch.passes) flat.insert(flat.end(), pass.begin(), pass.end());
  const size_t segments = upload.add(flat);
  const int64_t pixels = canvas.height * canvas.width;
  const int64_t parts = divide_up(pixels, kThreads),
                rows = static_cast<int64_t>(batch.coloured.size());
  const size_t sums = upload.reserve(static_cast<size_t>(rows * parts) * sizeof(double)),
               means = upload.reserve(static_cast<size_t>(rows) * sizeof(float)),
               fills = upload.reserve(static_cast<size_t>(rows * kMaxChannels) * sizeof(float)),
               blurred = upload.reserve(static_cast<size_t>(batch.blurred * pixels * channels) *
                                        sizeof(float));
  char* table = upload.send(ctx);
  const Tables tables{reinterpret_cast<const Record*>(table + records),
                      reinterpret_cast<const ErasedArea*>(table + erased),
                      reinterpret_cast<const Taps*>(table + taps),
                      reinterpret_cast<const float*>(table + weights)};
  const int64_t per_image = divide_up(pixels * channels, kThreads);
  launch(ctx, "augment", augment_kernel<T>,
         {.grid = static_cast<int64_t>(batch.records.size()) * per_image, .block = kThreads},
         images, tables, out, in, canvas, channels, static_cast<int>(per_image));
  if (rows == 0) return;
  const ColourTables colours{reinterpret_cast<const ColourRecord*>(table + coloured),
                             reinterpret_cast<const Segment*>(table + segments),
                             reinterpret_cast<const Change*>(table + changes),
                             tables.erased,
                             tables.weights,
                             reinterpret_cast<float*>(table + blurred),
                             reinterpret_cast<float*>(table + means),
                             reinterpret_cast<float*>(table + fills),
                             reinterpret_cast<double*>(table + sums)};
  if (channels == 3)
    run_passes<3>(ctx, colours, batch, out, canvas, static_cast<int>(parts));
  else
    run_passes<1>(ctx, colours, batch, out, canvas, static_cast<int>(parts));
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
  const Batch batch(rows, in, canvas, bytes ? 1.0 / 255 : 1.0);
  if (bytes)
    run(ctx, images.as<uint8_t>(), batch, out.as<float>(), in, canvas, channels);
  else
    run(ctx, images.as<float>(), batch, out.as<float>(), in, canvas, channels);
}

}  // namespace ditto::kernels
