// Line charts as SVG: axes with round ticks, a legend, gaps where values are missing.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ditto::apps {

// How an axis writes its numbers: 0.25; 25 %; 1.5M.
enum class NumberStyle { Plain, Percent, Count };

struct Series {
  std::string name;                    // series of the same name and colour share a legend entry
  std::vector<double> x = {}, y = {};  // of equal length; a non-finite value is a gap
  int colour = 0;                      // index into the palette; repeats after sixteen
  bool dashed = false;
  std::vector<double> spread = {};  // half the height of an error bar on each point, or empty
  bool markers = true;  // a dot on every point of a solid line, unless there are very many
};

struct Chart {
  std::string title, x_label, y_label;
  NumberStyle x_style = NumberStyle::Plain, y_style = NumberStyle::Plain;
  bool log_y = false;                     // values <= 0 are then gaps
  std::optional<double> x_min;            // default: the data's; points left of it are not used
  std::optional<double> y_min;            // default: the data's, or 0 where that is near
  std::string solid_label, dashed_label;  // what the line styles mean: "test", "train"
  std::vector<std::pair<double, std::string>> x_ticks;  // places and their names; default: numbers
  std::vector<Series> series;
};

// A complete SVG file. Throws Error when a series has x, y or spread of different
// lengths.
std::string render_svg(const Chart& chart);

// The palette's colour as "#rrggbb": Okabe and Ito's eight, which colour-blind readers tell apart
// (jfly.uni-koeln.de/color, 2008), with violet for yellow, too pale on white, and grey for black;
// then the same eight darkened.
std::string palette_colour(int index);

// At most `most` multiples of 1, 2 or 5 x 10^k that cover [low, high] from the inside. Needs
// low < high, most >= 2.
std::vector<double> nice_ticks(double low, double high, int most);
// Powers of ten in [low, high]; with their 2 and 5 multiples when there are few. 0 < low < high.
std::vector<double> log_ticks(double low, double high);

// The text of a tick, `step` apart from its neighbours.
std::string tick_text(double value, double step, NumberStyle style);

// At most about `most` points, each the mean of its neighbours: thousands of steps make a readable
// curve and a small file. A non-finite value stays visible as a gap.
Series thinned(const Series& series, size_t most);

}  // namespace ditto::apps
