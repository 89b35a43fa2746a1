#include "kernels/random.h"

#include <cmath>
#include <numbers>

#include "core/parallel.h"
#include "kernels/through_f32.h"

namespace ditto::kernels {
namespace {

// Calls make(words, values) per block of four elements.
template <class F>
void fill_blocks(CpuContext& ctx, const RandomStream& stream, const View& y, const char* op,
                 F&& make) {
  on_float(y.dtype, op, [&](auto zero) {
    using T = decltype(zero);
    T* to = y.as<T>();
    const int64_t n = y.numel();
    check(n <= int64_t{4} * UINT32_MAX, "[random] too many elements for one stream:", n);
    parallel_for(ctx, (n + 3) / 4, 1024, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const auto words = philox4x32({static_cast<uint32_t>(block), stream.sample,
                                       stream.epoch << 8, static_cast<uint32_t>(stream.purpose)},
                                      stream.seed);
        double values[4];
        make(words, values);
        for (int64_t i = 0; i < 4 && 4 * block + i < n; ++i)
          to[4 * block + i] = static_cast<T>(values[i]);
      }
    });
  });
}

double unit(uint32_t word) { return (word >> 8) * 0x1p-24; }

}  // namespace

void fill_uniform(CpuContext& ctx, const RandomStream& stream, double low, double high,
                  const View& y) {
  fill_blocks(ctx, stream, y, "uniform", [=](const auto& words, double* values) {
    for (int i = 0; i < 4; ++i) values[i] = low + (high - low) * unit(words[i]);
  });
}

void fill_normal(CpuContext& ctx, const RandomStream& stream, double mean, double stddev,
                 const View& y) {
  fill_blocks(ctx, stream, y, "normal", [=](const auto& words, double* values) {
    for (int i = 0; i < 4; i += 2) {
      const double radius = stddev * std::sqrt(-2 * std::log((words[i] + 1.0) * 0x1p-32));
      const double angle = 2 * std::numbers::pi * (words[i + 1] * 0x1p-32);
      values[i] = mean + radius * std::cos(angle);
      values[i + 1] = mean + radius * std::sin(angle);
    }
  });
}

void fill_dropout_mask(CpuContext& ctx, const RandomStream& stream, double p, const View& mask) {
  if (mask.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { fill_dropout_mask(ctx, stream, p, f.out(mask)); });
  const double keep = p < 1 ? 1 / (1 - p) : 0.0;
  fill_blocks(ctx, stream, mask, "dropout", [=](const auto& words, double* values) {
    for (int i = 0; i < 4; ++i) values[i] = unit(words[i]) < p ? 0.0 : keep;
  });
}

}  // namespace ditto::kernels
