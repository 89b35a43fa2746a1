#include "apps/common/heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "apps/common/text.h"
#include "core/error.h"

namespace ditto::apps {
namespace {

constexpr double kCharacter = 0.58;  // width in font sizes; a guess: no font is at hand
constexpr size_t kLongestName = 24;

double longest(const std::vector<std::string>& names) {
  int most = 0;
  for (const std::string& name : names) most = std::max(most, display_width(name));
  return std::min<double>(most, kLongestName);
}

// Narrow columns have upright names, wider ones slanted names, which read better.
bool upright(const HeatMap& map) { return map.cell_width < 1.5 * map.font_size; }

}  // namespace

double HeatMap::left_margin() const {
  return rows.empty() ? 0 : longest(rows) * kCharacter * font_size + 8;
}

double HeatMap::top_margin() const {
  const double length = longest(columns);
  if (length == 0) return 0;
  return length * kCharacter * font_size * (upright(*this) ? 1 : 0.75) + 0.8 * font_size + 6;
}

std::string heat_colour(double shade, Hue hue) {
  // White, the palette's colour at 0.65, a dark of it at 1.
  static constexpr std::array<std::array<double, 3>, 2> kMiddle = {{{0, 114, 178}, {213, 94, 0}}};
  static constexpr std::array<std::array<double, 3>, 2> kDark = {{{0, 48, 84}, {112, 44, 0}}};
  const auto h = static_cast<size_t>(hue);
  constexpr double kTurn = 0.65;
  shade = std::clamp(shade, 0.0, 1.0);
  std::array<int, 3> rgb{};
  for (size_t c = 0; c < 3; ++c) {
    const double value = shade < kTurn ? 255 + (kMiddle[h][c] - 255) * shade / kTurn
                                       : kMiddle[h][c] + (kDark[h][c] - kMiddle[h][c]) *
                                                             (shade - kTurn) / (1 - kTurn);
    rgb[c] = static_cast<int>(std::lround(value));
  }
  return fmt::format("#{:02x}{:02x}{:02x}", rgb[0], rgb[1], rgb[2]);
}

void draw_heat_map(SvgWriter& svg, const HeatMap& map, Point corner) {
  check(map.cells.size() == map.rows.size() * map.columns.size(), "[heat_map]", map.cells.size(),
        "cells for", map.rows.size(), "rows and", map.columns.size(), "columns");
  svg.rect(corner, map.width(), map.height(), "fill=\"#f6f8fa\"");
  const double text_size = std::min({12.0, map.cell_height * 0.55, map.cell_width * 0.34});
  const double gap = std::min(map.cell_width, map.cell_height) > 16 ? 1 : 0;
  for (size_t i = 0; i < map.cells.size(); ++i) {
    const HeatCell& cell = map.cells[i];
    if (!(cell.shade > 0)) continue;
    const auto row = static_cast<double>(i / map.columns.size());
    const auto column = static_cast<double>(i % map.columns.size());
    const Point at{corner.x + column * map.cell_width, corner.y + row * map.cell_height};
    svg.rect(at, map.cell_width - gap, map.cell_height - gap,
             fmt::format("fill=\"{}\"", heat_colour(cell.shade, cell.hue)), cell.tooltip);
    if (text_size < 7 || cell.text.empty()) continue;
    svg.text({at.x + (map.cell_width - gap) / 2, at.y + map.cell_height / 2 + text_size * 0.35},
             cell.text,
             fmt::format("text-anchor=\"middle\" font-size=\"{}\" fill=\"{}\" "
                         "pointer-events=\"none\"",
                         svg_number(text_size), cell.shade > 0.5 ? "#fff" : "#1b1f24"));
  }
  svg.rect(corner, map.width(), map.height(), "fill=\"none\" stroke=\"#d0d7de\"");
  const std::string size =
      fmt::format("font-size=\"{}\" fill=\"#24292f\"", svg_number(map.font_size));
  for (size_t r = 0; r < map.rows.size(); ++r)
    svg.text({corner.x - 6,
              corner.y + (static_cast<double>(r) + 0.5) * map.cell_height + map.font_size * 0.35},
             shorten(map.rows[r], kLongestName), "text-anchor=\"end\" " + size);
  for (size_t c = 0; c < map.columns.size(); ++c) {
    const double x = corner.x + (static_cast<double>(c) + 0.5) * map.cell_width +
                     (upright(map) ? map.font_size * 0.35 : 0);
    const double y = corner.y - 6;
    svg.text({x, y}, shorten(map.columns[c], kLongestName),
             fmt::format("transform=\"rotate({} {} {})\" {}", upright(map) ? -90 : -45,
                         svg_number(x), svg_number(y), size));
  }
}

}  // namespace ditto::apps
