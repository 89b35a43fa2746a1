// Heat maps as SVG: a grid of shaded cells with names of rows and columns, for confusion matrices
// and probability matrices.
#pragma once

#include <string>
#include <vector>

#include "apps/common/svg.h"

namespace ditto::apps {

enum class Hue { Blue, Orange };

struct HeatCell {
  double shade = 0;  // 0: nothing is drawn, 1: darkest
  Hue hue = Hue::Blue;
  std::string text = {};     // inside the cell, where the cell is large enough
  std::string tooltip = {};  // under the pointer
};

struct HeatMap {
  std::vector<std::string> rows, columns;
  std::vector<HeatCell> cells;  // rows x columns, row by row
  double cell_width = 40, cell_height = 40;
  double font_size = 12;  // of the names

  double width() const { return cell_width * static_cast<double>(columns.size()); }
  double height() const { return cell_height * static_cast<double>(rows.size()); }
  // Room that the rows' names need on the left, and the columns' above, with a margin.
  double left_margin() const;
  double top_margin() const;
};

// "#rrggbb" from white (0) over the hue to its dark (1).
std::string heat_colour(double shade, Hue hue);

// Draws the grid with its upper left corner at `corner`, the rows' names left of it and the
// columns' above it, where there are any. Throws Error when the cells are not rows x columns.
void draw_heat_map(SvgWriter& svg, const HeatMap& map, Point corner);

}  // namespace ditto::apps
