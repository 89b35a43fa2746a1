#include "data/mix.h"

#include <cmath>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace ditto::data {
namespace {

using kernels::MixKind;
using kernels::MixRow;
using kernels::PixelBox;

// A random permutation that is one cycle, so nobody is left with itself (Sattolo 1986).
std::vector<size_t> random_cycle(size_t n, Rng& rng) {
  std::vector<size_t> next(n);
  std::iota(next.begin(), next.end(), size_t{0});
  for (size_t i = n; i > 1; --i) std::swap(next[i - 1], next[rng.below(i - 1)]);
  return next;
}

// What the rows of one unit share; box holds the size only.
MixRow draw_shared(const MixOptions& options, Rng& rng, int width, int height) {
  MixRow row;
  if (!rng.chance(options.probability)) return row;
  const bool both = options.cutmix_alpha > 0 && options.mixup_alpha > 0;
  const bool cutmix = both ? rng.chance(0.5) : options.cutmix_alpha > 0;
  const double alpha = cutmix ? options.cutmix_alpha : options.mixup_alpha;
  const double lambda = rng.beta(alpha, alpha);
  row.kind = cutmix ? MixKind::CutMix : MixKind::Mixup;
  row.keep = static_cast<float>(lambda);
  if (cutmix) {
    const double side = std::sqrt(1 - lambda);
    row.box.x1 = static_cast<int>(std::lround(width * side));
    row.box.y1 = static_cast<int>(std::lround(height * side));
    const double area = static_cast<double>(width) * height;
    row.keep = static_cast<float>((area - static_cast<double>(row.box.area())) / area);
  }
  return row;
}

void place_box(PixelBox& box, Rng& rng, int width, int height) {
  const int w = box.x1 - box.x0, h = box.y1 - box.y0;
  box.x0 = static_cast<int>(rng.below(static_cast<uint64_t>(width - w) + 1));
  box.y0 = static_cast<int>(rng.below(static_cast<uint64_t>(height - h) + 1));
  box.x1 = box.x0 + w, box.y1 = box.y0 + h;
}

// The rows of each unit that is mixed as one, in order of first appearance.
std::vector<std::vector<int64_t>> units_of(MixMode mode, std::span<const int64_t> groups) {
  std::vector<std::vector<int64_t>> units;
  std::unordered_map<int64_t, size_t> unit_of;
  for (size_t r = 0; r < groups.size(); ++r) {
    const int64_t key = mode == MixMode::PerGroup ? groups[r] : static_cast<int64_t>(r);
    const auto [found, is_new] = unit_of.try_emplace(key, units.size());
    if (is_new) units.emplace_back();
    units[found->second].push_back(static_cast<int64_t>(r));
  }
  return units;
}

}  // namespace

void check_options(const MixOptions& options) {
  check(options.cutmix_alpha >= 0 && options.cutmix_alpha <= 1e3 && options.mixup_alpha >= 0 &&
            options.mixup_alpha <= 1e3,
        "[mix] alpha must be in [0, 1000], got cutmix", options.cutmix_alpha, "mixup",
        options.mixup_alpha);
  check(options.probability >= 0 && options.probability <= 1,
        "[mix] probability must be in [0, 1], got", options.probability);
}

std::vector<MixRow> draw_mix(const MixOptions& options, Rng& rng, std::span<const int64_t> groups,
                             int width, int height) {
  check_options(options);
  std::vector<MixRow> rows(groups.size());
  for (size_t r = 0; r < rows.size(); ++r) rows[r].partner = static_cast<int64_t>(r);
  const std::vector<std::vector<int64_t>> units = units_of(options.mode, groups);
  if (!options.enabled() || units.size() < 2) return rows;
  const std::vector<size_t> partner = random_cycle(units.size(), rng);
  for (size_t u = 0; u < units.size(); ++u) {
    const MixRow shared = draw_shared(options, rng, width, height);
    if (shared.kind == MixKind::None) continue;
    const std::vector<int64_t>& others = units[partner[u]];
    for (size_t r = 0; r < units[u].size(); ++r) {
      MixRow& row = rows[units[u][r]];
      row = shared;
      row.partner = others[r % others.size()];  // a group cut by a batch border is smaller
      if (row.kind == MixKind::CutMix) place_box(row.box, rng, width, height);
    }
  }
  return rows;
}

}  // namespace ditto::data
