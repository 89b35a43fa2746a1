#include "core/nearest_map.h"

#include <cmath>
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
    const double at = lookup.source_y_at(0, y);
    if (!lookup.has_row(at)) continue;
    top = std::min(top, y);
    ++shown, ++rows_before[static_cast<size_t>(lookup.row_of(at)) + 1];
  }
  for (size_t r = 1; r < rows_before.size(); ++r) rows_before[r] += rows_before[r - 1];
  const bool upside_down = lookup.inverse.e < 0;

  const std::vector<ColumnRun> runs = mask.runs();
  std::vector<size_t> starts(static_cast<size_t>(mask.width) + 1);  // of each column's runs
  for (const ColumnRun& run : runs) ++starts[static_cast<size_t>(run.column) + 1];
  for (size_t x = 1; x < starts.size(); ++x) starts[x] += starts[x - 1];

  std::vector<ColumnRun> out;
  for (int x = lookup.left; x < lookup.right; ++x) {
    const double at = lookup.source_x_at(x, 0);
    if (!lookup.has_column(at)) continue;
    const auto column = static_cast<size_t>(lookup.column_of(at));
    const size_t begin = starts[column], end = starts[column + 1];
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

std::vector<ColumnRun> warp_any(const Rle& mask, const NearestMap& map, const NearestLookup& lookup,
                                const std::vector<Window>& windows) {
  // The pixels that may show the mask: the hull of its box (wider, because points whose own pixel
  // has its centre beside the area show the next), a pixel wider for roundings.
  const Rect box = mask.box();
  if (box.area() == 0) return {};
  const double wider = map.area == kEverywhere ? 0 : 0.5;
  const Rect hull =
      map.inverse.inverse()(Rect{box.x0 - wider, box.y0 - wider, box.x1 + wider, box.y1 + wider});
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
      const bool set = y < bottom && lookup.find(windows.data(), x, y, u, v) && u >= x0 &&
                       u < x0 + w && v >= y0 && v < y0 + h &&
                       dense[static_cast<size_t>(u - x0) * h + (v - y0)] != 0;
      if (set && start < 0) start = y;
      if (!set && start >= 0) out.push_back({x, start, y}), start = -1;
    }
  }
  return out;
}

}  // namespace

NearestMap NearestMap::of(const Frame& frame) {
  return {.inverse = frame.map.inverse(),
          .source_width = frame.source_width,
          .source_height = frame.source_height,
          .width = frame.width,
          .height = frame.height,
          .clip = frame.clip,
          .area = frame.area,
          .windows = frame.windows};
}

NearestMap NearestMap::back(const Frame& frame) {
  NearestMap map = of(frame.inverse());
  map.inverse = frame.map;  // to the last bit
  if (is_upright(frame.map)) {
    map.clip = intersection(map.clip, frame.area);
    map.area = kEverywhere;
  }
  map.area = intersection(map.area, frame.visible);
  return map;
}

NearestLookup::NearestLookup(const NearestMap& map, std::vector<Window>& windows)
    : inverse(map.inverse),
      area(intersection(map.area, {0, 0, double(map.source_width), double(map.source_height)})) {
  const auto first = [](double at, int size) {  // the first pixel centre not before `at`
    return static_cast<int>(std::clamp(std::ceil(at - 0.5), 0.0, double(size)));
  };
  left = first(map.clip.x0, map.width), right = first(map.clip.x1, map.width);
  top = first(map.clip.y0, map.height), bottom = first(map.clip.y1, map.height);
  columns = {first(area.x0, map.source_width), first(area.x1, map.source_width)};
  rows = {first(area.y0, map.source_height), first(area.y1, map.source_height)};
  if (columns.begin >= columns.end || rows.begin >= rows.end) right = left;
  begin = static_cast<int32_t>(windows.size());
  windows.insert(windows.end(), map.windows.begin(), map.windows.end());
  end = static_cast<int32_t>(windows.size());
}

Rle warp(const Rle& mask, const NearestMap& map) {
  check(mask.height == map.source_height && mask.width == map.source_width,
        "[warp] a mask of height", mask.height, "width", mask.width, "for a source of height",
        map.source_height, "width", map.source_width);
  check(map.width >= 0 && map.height >= 0, "[warp] canvas of width", map.width, "height",
        map.height);
  const Affine& m = map.inverse;
  check(std::isfinite(m.a + m.b + m.c + m.d + m.e + m.f), "[warp] the map is not finite");
  std::vector<Window> windows;
  const NearestLookup lookup(map, windows);
  return Rle::from_runs(is_upright(m) && windows.empty() ? warp_upright(mask, lookup)
                                                         : warp_any(mask, map, lookup, windows),
                        map.height, map.width);
}

}  // namespace ditto
