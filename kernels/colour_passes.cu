// Plan. Changes of colour need all channels of a pixel, and a change of contrast the mean of the
// image so far. Rows that have some go through passes in place, a thread per pixel, each up to the
// next change of contrast, whose mean the pass sums up per block and a small kernel finishes. Its
// accesses are 12 bytes apart: a third of each sector per access, the rest out of the L1 cache. A
// blur also ends a pass: one kernel along the lines into a second image, one along the columns
// back, a thread per element, whose neighbours come out of the L1 (lines) and L2 caches (columns).
// Considered: one block per image for all passes (fewer launches, but a photograph would keep one
// multiprocessor busy).
#include <algorithm>
#include <vector>

#include "kernels/augment.cuh"
#include "kernels/blur.h"
#include "kernels/colour_math.h"
#include "kernels/colour_passes.h"
#include "kernels/launch.cuh"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

struct Tables {
  const ColourPasses::Record* records;
  const ColourPasses::Segment* segments;  // (passes, rows)
  const ColourPasses::Change* changes;
  const ErasedArea* erased;
  const float* weights;
  float* blurred;  // one image for each row that has a blur
  // Per row: the mean that the pass uses, the fill so far (4 each); per row and block: sums of
  // grey.
  float *means, *fills;
  double* sums;
};

template <int C>
__device__ void change_pixel(const ColourPasses::Change& change, float mean, float* p) {
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
    colour_kernel(float* out, Tables tables, const ColourPasses::Segment* segments, bool first,
                  Size canvas, int per_image) {
  SHARED_ARRAY(double, scratch, kWarp);
  const int r = static_cast<int>(blockIdx.x) / per_image;
  const int part = static_cast<int>(blockIdx.x) % per_image;
  const ColourPasses::Segment segment = segments[r];
  if (segment.begin < 0) return;
  const ColourPasses::Record& row = tables.records[r];
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
    colour_mean_kernel(Tables tables, const ColourPasses::Segment* segments, bool first,
                       int64_t pixels, int per_image) {
  SHARED_ARRAY(double, scratch, kWarp);
  const int r = static_cast<int>(blockIdx.x);
  const ColourPasses::Segment segment = segments[r];
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
    blur_kernel(float* out, Tables tables, const ColourPasses::Segment* segments, Size canvas,
                int channels, int per_image) {
  const int r = static_cast<int>(blockIdx.x) / per_image;
  const int part = static_cast<int>(blockIdx.x) % per_image;
  const ColourPasses::Segment segment = segments[r];
  const ColourPasses::Record& row = tables.records[r];
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

template <int C>
void run_passes(CudaContext& ctx, const Tables& tables,
                const std::vector<std::vector<ColourPasses::Segment>>& passes, int64_t rows,
                float* out, Size canvas) {
  const int64_t pixels = canvas.height * canvas.width;
  const auto per_image = static_cast<int>(divide_up(pixels, kThreads));
  for (size_t pass = 0; pass < passes.size(); ++pass) {
    const ColourPasses::Segment* segments = tables.segments + static_cast<int64_t>(pass) * rows;
    launch(ctx, "change_colours", colour_kernel<C>, {.grid = rows * per_image, .block = kThreads},
           out, tables, segments, pass == 0, canvas, per_image);
    if (pass + 1 < passes.size())
      launch(ctx, "change_colours_mean", colour_mean_kernel<C>, {.grid = rows, .block = kThreads},
             tables, segments, pass == 0, pixels, per_image);
    if (std::ranges::any_of(passes[pass],
                            [](const ColourPasses::Segment& s) { return s.radius > 0; })) {
      const int64_t parts = divide_up(pixels * C, kThreads);
      launch(ctx, "blur_lines", blur_kernel<false>, {.grid = rows * parts, .block = kThreads}, out,
             tables, segments, canvas, C, static_cast<int>(parts));
      launch(ctx, "blur_columns", blur_kernel<true>, {.grid = rows * parts, .block = kThreads}, out,
             tables, segments, canvas, C, static_cast<int>(parts));
    }
  }
}

void copy_channels(const ChannelValues& from, float* to) {
  std::copy(from.begin(), from.end(), to);
}

}  // namespace

void ColourPasses::add(const AugmentRow& row, int32_t image, int32_t erase_begin,
                       int32_t erase_end) {
  // A pass ends before a change of contrast and at the end.
  auto begin = static_cast<int32_t>(changes_.size());
  size_t pass = 0;
  const auto end_pass = [&](bool last) -> Segment& {
    if (pass == passes_.size()) passes_.emplace_back();
    passes_[pass].resize(records_.size() + 1);
    const auto end = static_cast<int32_t>(changes_.size());
    Segment& segment = passes_[pass++][records_.size()];
    segment.begin = begin, segment.end = end, segment.last = last;
    begin = end;
    return segment;
  };
  Record record{};
  record.blurred = -1;
  for (const ColourChange& change : row.colours) {
    if (change.kind == ColourKind::Contrast) end_pass(false);
    if (change.kind == ColourKind::Blur) {
      Segment& segment = end_pass(false);
      segment.radius = change.radius;
      segment.weights = static_cast<int32_t>(weights_.size());
      const std::vector<float> more = blur_weights(change);
      weights_.insert(weights_.end(), more.begin(), more.end());
      if (record.blurred < 0) record.blurred = blurred_++;
      continue;
    }
    Change copy{change.kind, change.factor, {}, {}};
    copy_channels(change.scale, copy.scale);
    copy_channels(change.offset, copy.offset);
    changes_.push_back(copy);
  }
  end_pass(true);
  record.image = image;
  record.erase_begin = erase_begin, record.erase_end = erase_end;
  copy_channels(row.scale, record.scale);
  copy_channels(row.offset, record.offset);
  copy_channels(row.fill, record.fill);
  records_.push_back(record);
}

void ColourPasses::upload(CudaUpload& upload, Size canvas, int channels) {
  at_records_ = upload.add(records_), at_changes_ = upload.add(changes_);
  at_weights_ = upload.add(weights_);
  std::vector<Segment> flat;
  for (auto& pass : passes_) {
    pass.resize(records_.size());
    flat.insert(flat.end(), pass.begin(), pass.end());
  }
  at_segments_ = upload.add(flat);
  const int64_t pixels = canvas.height * canvas.width, parts = divide_up(pixels, kThreads),
                rows = static_cast<int64_t>(records_.size());
  at_sums_ = upload.reserve(static_cast<size_t>(rows * parts) * sizeof(double));
  at_means_ = upload.reserve(static_cast<size_t>(rows) * sizeof(float));
  at_fills_ = upload.reserve(static_cast<size_t>(rows * kMaxChannels) * sizeof(float));
  at_blurred_ = upload.reserve(static_cast<size_t>(blurred_ * pixels * channels) * sizeof(float));
}

void ColourPasses::run(CudaContext& ctx, char* tables, const ErasedArea* erased, float* out,
                       Size canvas, int channels) const {
  if (records_.empty()) return;
  const Tables all{reinterpret_cast<const Record*>(tables + at_records_),
                   reinterpret_cast<const Segment*>(tables + at_segments_),
                   reinterpret_cast<const Change*>(tables + at_changes_),
                   erased,
                   reinterpret_cast<const float*>(tables + at_weights_),
                   reinterpret_cast<float*>(tables + at_blurred_),
                   reinterpret_cast<float*>(tables + at_means_),
                   reinterpret_cast<float*>(tables + at_fills_),
                   reinterpret_cast<double*>(tables + at_sums_)};
  const auto rows = static_cast<int64_t>(records_.size());
  if (channels == 3)
    run_passes<3>(ctx, all, passes_, rows, out, canvas);
  else
    run_passes<1>(ctx, all, passes_, rows, out, canvas);
}

}  // namespace ditto::kernels
