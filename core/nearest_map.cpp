#include "core/nearest_map.h"

#include <vector>

namespace ditto {
namespace {

// Rows and columns are independent: a run of source rows becomes a run of canvas rows, the same one
// in every column.
std::vector<ColumnRun> warp_upright(const Rle& mask, const NearestLookup& lookup) {
  // rows_before[r]: canvas rows that show a source row above r.
  std::vector<int> rows_before(static_cast<size_t>(mask.height) + 1);
  int top = lookup.bottom, shown = 0;
  for (int y = lookup.top; y < lookup.bottom; ++y) {
    const double row = lookup.row_at(0, y);
    if (!(row >= lookup.source_top && row < lookup.source_bottom)) continue;
    top = std::min(top, y);
    ++shown, ++rows_before[static_cast<size_t>(row) + 1];
  }
  for (size_t r = 1; r < rows_before.size(); ++r) rows_before[r] += rows_before[r - 1];
  const bool upside_down = lookup.inverse.e < 0;

  const std::vector<ColumnRun> runs = mask.runs();
  std::vector<size_t> starts(static_cast<size_t>(mask.width) + 1);  // of each column's runs
  for (const ColumnRun& run : runs) ++starts[static_cast<size_t>(run.column) + 1];
  for (size_t x = 1; x < starts.size(); ++x) starts[x] += starts[x - 1];

  std::vector<ColumnRun> out;
  for (int x = lookup.left; x < lookup.right; ++x) {
    const double column = lookup.column_at(x, 0);
    if (!(column >= lookup.source_left && column < lookup.source_right)) continue;
    const size_t begin = starts[static_cast<size_t>(column)];
    const size_t end = starts[static_cast<size_t>(column) + 1];
    for (size_t k = begin; k < end; ++k) {
      const ColumnRun& run = runs[upside_down ? begin + end - 1 - k : k];
      const int above = rows_before[static_cast<size_t>(run.top)];
      const int upto = rows_before[static_cast<size_t>(run.bottom)];
      if (above == upto) continue;
      out.push_back(upside_down ? ColumnRun{x, top + shown - upto, top + shown - above}
                                : ColumnRun{x, top + above, top + upto});
    }
  }
  return out;
}

std::vector<ColumnRun> warp_any(const Rle& mask, const NearestMap& map,
                                const NearestLookup& lookup) {
  // The pixels that may show the mask: the hull of its box, a pixel wider for roundings.
  const Rect box = mask.box();
  if (box.area() == 0) return {};
  const Rect hull = map.inverse.inverse()(box);
  const auto within = [](double at, int low, int high) {
    return static_cast<int>(std::clamp(at, double(low), double(high)));
  };
  const int left = within(std::floor(hull.x0) - 1, lookup.left, lookup.right);
  const int right = within(std::ceil(hull.x1) + 1, left, std::max(left, lookup.right));
  const int top = within(std::floor(hull.y0) - 1, lookup.top, lookup.bottom);
  const int bottom = within(std::ceil(hull.y1) + 1, top, std::max(top, lookup.bottom));

  // The mask's own box, a byte per pixel, column by column.
  const auto x0 = static_cast<int>(box.x0), y0 = static_cast<int>(box.y0);
  const auto w = static_cast<int>(box.x1) - x0, h = static_cast<int>(box.y1) - y0;
  std::vector<uint8_t> dense(static_cast<size_t>(w) * static_cast<size_t>(h));
  for (const ColumnRun& run : mask.runs()) {
    uint8_t* column = dense.data() + static_cast<size_t>(run.column - x0) * static_cast<size_t>(h);
    std::fill(column + (run.top - y0), column + (run.bottom - y0), uint8_t{1});
  }
  std::vector<ColumnRun> out;
  for (int x = left; x < right; ++x) {
    int start = -1;  // of the run that is open
    for (int y = top; y <= bottom; ++y) {
      int u = 0, v = 0;
      const bool set = y < bottom && lookup.find(x, y, u, v) && u >= x0 && u < x0 + w && v >= y0 &&
                       v < y0 + h && dense[static_cast<size_t>(u - x0) * h + (v - y0)] != 0;
      if (set && start < 0) start = y;
      if (!set && start >= 0) out.push_back({x, start, y}), start = -1;
    }
  }
  return out;
}

}  // namespace

Rle warp(const Rle& mask, const NearestMap& map) {
  check(mask.height == map.source_height && mask.width == map.source_width,
        "[warp] a mask of height", mask.height, "width", mask.width, "for a source of height",
        map.source_height, "width", map.source_width);
  check(map.width >= 0 && map.height >= 0, "[warp] canvas of width", map.width, "height",
        map.height);
  const Affine& m = map.inverse;
  check(std::isfinite(m.a + m.b + m.c + m.d + m.e + m.f), "[warp] the map is not finite");
  const NearestLookup lookup(map);
  return Rle::from_runs(m.b == 0 && m.d == 0 && map.windows.empty() ? warp_upright(mask, lookup)
                                                                    : warp_any(mask, map, lookup),
                        map.height, map.width);
}

}  // namespace ditto
