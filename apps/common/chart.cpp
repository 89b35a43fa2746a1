#include "apps/common/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "apps/common/svg.h"
#include "apps/common/text.h"
#include "core/error.h"

namespace ditto::apps {
namespace {

constexpr double kWidth = 640, kHeight = 400;
constexpr double kLeft = 66, kRight = 18, kBottom = 48, kTop = 34;
constexpr double kLegendRow = 20;
constexpr size_t kMostMarkers = 60;  // a point on every epoch, but not on every step
constexpr const char* kGrid = "stroke=\"#e3e6ea\" stroke-width=\"1\"";
constexpr const char* kAxis = "stroke=\"#57606a\" stroke-width=\"1\"";

struct LegendEntry {
  std::string text, colour;
  bool dashed;
};

// A closed range that grows with what it is shown.
struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

// From data to picture coordinates.
struct Axis {
  double low, high, from, to;
  bool log = false;
  std::vector<double> ticks;

  double operator()(double value) const {
    const double t = log ? (std::log(value) - std::log(low)) / (std::log(high) - std::log(low))
                         : (value - low) / (high - low);
    return from + (to - from) * t;
  }
};

bool usable(const Chart& chart, double x, double y) {
  // What is that large has diverged, and its squares and margins would overflow.
  constexpr double kLargest = 1e100;
  return std::abs(x) < kLargest && std::abs(y) < kLargest && (!chart.log_y || y > 1 / kLargest) &&
         (!chart.x_min || x >= *chart.x_min);
}

// Widens an empty range, which would divide by zero.
void open_up(Extent& extent) {
  if (extent.low < extent.high) return;
  // A single value is best seen from zero; only zero itself needs some room.
  if (extent.low > 0) {
    extent.low = 0;
  } else if (extent.low < 0) {
    extent.high = 0;
  } else {
    extent.high = 1;
  }
}

Axis x_axis(const Chart& chart, Extent extent) {
  if (chart.x_min) extent.include(*chart.x_min);
  for (const auto& [place, name] : chart.x_ticks) {
    // Half a unit around named places, so that the names have room.
    extent.include(place - 0.5);
    extent.include(place + 0.5);
  }
  open_up(extent);
  return {extent.low,      extent.high, kLeft,
          kWidth - kRight, false,       nice_ticks(extent.low, extent.high, 8)};
}

Axis y_axis(const Chart& chart, Extent extent, double top) {
  Axis axis{0, 0, kHeight - kBottom, top, chart.log_y, {}};
  if (chart.log_y) {
    if (extent.low == extent.high) extent = {extent.low / 2, extent.high * 2};
    const double margin = std::pow(extent.high / extent.low, 0.04);
    axis.low = extent.low / margin;
    axis.high = extent.high * margin;
    axis.ticks = log_ticks(axis.low, axis.high);
    return axis;
  }
  if (chart.y_min) extent.include(*chart.y_min);
  // A range that nearly reaches zero should show it: heights then compare truly.
  if (!chart.y_min && extent.low > 0 && extent.low < 0.4 * extent.high) extent.low = 0;
  open_up(extent);
  const double margin = 0.04 * (extent.high - extent.low);
  axis.low = extent.low == 0 ? 0 : extent.low - margin;
  axis.high = extent.high + margin;
  axis.ticks = nice_ticks(axis.low, axis.high, 8);
  return axis;
}

double spacing(const std::vector<double>& ticks) {
  return ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
}

void draw_axes(SvgWriter& svg, const Chart& chart, const Axis& x, const Axis& y) {
  for (double tick : y.ticks) {
    svg.line({x.from, y(tick)}, {x.to, y(tick)}, kGrid);
    const double step = y.log ? tick : spacing(y.ticks);
    svg.text({x.from - 7, y(tick) + 4}, tick_text(tick, step, chart.y_style),
             "text-anchor=\"end\" fill=\"#424a53\"");
  }
  std::vector<std::pair<double, std::string>> x_ticks = chart.x_ticks;
  if (x_ticks.empty())
    for (double tick : x.ticks)
      x_ticks.emplace_back(tick, tick_text(tick, spacing(x.ticks), chart.x_style));
  for (const auto& [tick, name] : x_ticks) {
    svg.line({x(tick), y.to}, {x(tick), y.from}, kGrid);
    svg.line({x(tick), y.from}, {x(tick), y.from + 4}, kAxis);
    svg.text({x(tick), y.from + 18}, shorten(name, 16), "text-anchor=\"middle\" fill=\"#424a53\"");
  }
  svg.line({x.from, y.from}, {x.to, y.from}, kAxis);
  svg.line({x.from, y.from}, {x.from, y.to}, kAxis);
  svg.text({(x.from + x.to) / 2, kHeight - 10}, chart.x_label,
           "text-anchor=\"middle\" fill=\"#24292f\"");
  const std::string turned =
      fmt::format("text-anchor=\"middle\" fill=\"#24292f\" transform=\"rotate(-90 16 {})\"",
                  svg_number((y.from + y.to) / 2));
  svg.text({16, (y.from + y.to) / 2}, chart.y_label, turned);
}

std::string x_name(const Chart& chart, double x) {
  for (const auto& [place, name] : chart.x_ticks)
    if (place == x) return name;
  return number_text(x, 6);
}

void draw_series(SvgWriter& svg, const Chart& chart, const Series& series, const Axis& x,
                 const Axis& y) {
  const std::string colour = palette_colour(series.colour);
  const std::string stroke =
      fmt::format("stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{}", colour,
                  series.dashed ? "1.5" : "2", series.dashed ? " stroke-dasharray=\"5 4\"" : "");
  const std::string fill = fmt::format("fill=\"{}\"", colour);
  const std::string hollow = fmt::format("fill=\"#fff\" stroke=\"{}\"", colour);
  std::vector<Point> segment;
  const auto flush = [&] {
    if (segment.size() > 1) svg.polyline(segment, stroke);
    if (segment.size() == 1) svg.circle(segment[0], 3, series.dashed ? hollow : fill);
    segment.clear();
  };
  for (size_t i = 0; i < series.x.size(); ++i) {
    if (usable(chart, series.x[i], series.y[i]))
      segment.push_back({x(series.x[i]), y(series.y[i])});
    else
      flush();
  }
  flush();
  for (size_t i = 0; i < series.spread.size(); ++i) {
    const double low = series.y[i] - series.spread[i], high = series.y[i] + series.spread[i];
    if (!usable(chart, series.x[i], low) || !usable(chart, series.x[i], high)) continue;
    const double at = x(series.x[i]);
    const std::string thin = fmt::format("stroke=\"{}\" stroke-width=\"1.2\"", colour);
    svg.line({at, y(low)}, {at, y(high)}, thin);
    for (double end : {low, high}) svg.line({at - 4, y(end)}, {at + 4, y(end)}, thin);
  }
  if (series.dashed || !series.markers || series.x.size() > kMostMarkers) return;
  for (size_t i = 0; i < series.x.size(); ++i) {
    if (!usable(chart, series.x[i], series.y[i])) continue;
    const double value = series.y[i];
    svg.circle({x(series.x[i]), y(value)}, 2.6, fill,
               fmt::format("{}: {} at {} {}", series.name,
                           chart.y_style == NumberStyle::Percent ? percent_text(value)
                                                                 : number_text(value, 5),
                           chart.x_label, x_name(chart, series.x[i])));
  }
}

std::vector<LegendEntry> legend_of(const Chart& chart) {
  std::vector<LegendEntry> entries;
  bool any_dashed = false, any_solid = false;
  for (const Series& series : chart.series) {
    (series.dashed ? any_dashed : any_solid) = true;
    const LegendEntry entry{shorten(series.name, 40), palette_colour(series.colour), false};
    const bool known = std::any_of(entries.begin(), entries.end(), [&](const LegendEntry& other) {
      return other.text == entry.text && other.colour == entry.colour;
    });
    if (!known) entries.push_back(entry);
  }
  if (any_solid && !chart.solid_label.empty())
    entries.push_back({chart.solid_label, "#57606a", false});
  if (any_dashed && !chart.dashed_label.empty())
    entries.push_back({chart.dashed_label, "#57606a", true});
  return entries;
}

// Draws the legend under the title when `svg` is given; returns the y where the plot may begin.
double legend(SvgWriter* svg, const std::vector<LegendEntry>& entries) {
  constexpr double kSwatch = 24, kGap = 18, kCharacter = 6.9;  // a wide guess: no font is at hand
  double x = kLeft, y = kTop + 8;
  for (const LegendEntry& entry : entries) {
    const double width = kSwatch + 6 + kCharacter * display_width(entry.text);
    if (x > kLeft && x + width > kWidth - kRight) {
      x = kLeft;
      y += kLegendRow;
    }
    if (svg) {
      svg->line({x, y}, {x + kSwatch, y},
                fmt::format("stroke=\"{}\" stroke-width=\"{}\"{}", entry.colour,
                            entry.dashed ? "1.5" : "2.5",
                            entry.dashed ? " stroke-dasharray=\"5 4\"" : ""));
      svg->text({x + kSwatch + 6, y + 4}, entry.text, "fill=\"#24292f\"");
    }
    x += width + kGap;
  }
  return entries.empty() ? kTop : y + kLegendRow;
}

}  // namespace

std::string palette_colour(int index) {
  static constexpr std::array<uint32_t, 8> kColours = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7,
                                                       0xe69f00, 0x56b4e9, 0x6e4b9e, 0x57606a};
  const size_t position = static_cast<size_t>(std::max(index, 0)) % (2 * kColours.size());
  const uint32_t colour = kColours[position % kColours.size()];
  const auto channel = [&](int shift) {
    const uint32_t value = colour >> shift & 0xff;
    return position < kColours.size() ? value : value * 55 / 100;
  };
  return fmt::format("#{:02x}{:02x}{:02x}", channel(16), channel(8), channel(0));
}

std::vector<double> nice_ticks(double low, double high, int most) {
  check(low < high && std::isfinite(high - low) && most >= 2, "[nice_ticks] bad range:", low, high);
  const double rough = (high - low) / most;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0, 20.0}) {
    const double step = factor * power;
    // The slack keeps a limit that is a multiple of the step up to rounding.
    const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
    if (last - first + 1 > most) continue;
    std::vector<double> ticks;
    for (double k = first; k <= last; ++k) ticks.push_back(k == 0 ? 0 : k * step);
    return ticks;
  }
  return {low, high};
}

std::vector<double> log_ticks(double low, double high) {
  check(low > 0 && low < high && std::isfinite(high), "[log_ticks] bad range:", low, high);
  const auto with = [&](std::initializer_list<double> factors) {
    std::vector<double> ticks;
    for (double k = std::floor(std::log10(low)); k <= std::ceil(std::log10(high)); ++k)
      for (double factor : factors)
        if (const double tick = factor * std::pow(10.0, k); tick >= low && tick <= high)
          ticks.push_back(tick);
    return ticks;
  };
  std::vector<double> ticks = with({1});
  if (ticks.size() < 4) ticks = with({1, 2, 5});
  if (ticks.size() < 2) ticks = nice_ticks(low, high, 6);
  // Ranges of very many decades: every second, third, ... power.
  const size_t skip = (ticks.size() + 8) / 9;
  std::vector<double> kept;
  for (size_t i = 0; i < ticks.size(); i += skip) kept.push_back(ticks[i]);
  return kept;
}

std::string tick_text(double value, double step, NumberStyle style) {
  if (style == NumberStyle::Percent)
    return tick_text(100 * value, 100 * step, NumberStyle::Plain) + " %";
  if (style == NumberStyle::Count && std::abs(value) >= 1e6)
    return tick_text(value / 1e6, step / 1e6, NumberStyle::Plain) + "M";
  if (style == NumberStyle::Count && std::abs(value) >= 1e3)
    return tick_text(value / 1e3, step / 1e3, NumberStyle::Plain) + "k";
  if (value == 0) return "0";
  // The slack: a step of 0.1 may be 0.0999....
  const int decimals =
      static_cast<int>(std::max(0.0, -std::floor(std::log10(std::abs(step)) + 1e-9)));
  if (decimals > 4 || std::abs(value) >= 1e7) return fmt::format("{:.3g}", value);
  return fmt::format("{:.{}f}", value, decimals);
}

Series thinned(const Series& series, size_t most) {
  const size_t n = series.x.size();
  if (n <= most || most == 0) return series;
  Series out = series;
  out.x.clear();
  out.y.clear();
  for (size_t bucket = 0; bucket < most; ++bucket) {
    const size_t begin = n * bucket / most, end = n * (bucket + 1) / most;
    double x = 0, y = 0;
    for (size_t i = begin; i < end; ++i) {
      x += series.x[i];
      y += series.y[i];  // not finite as soon as one value is not
    }
    out.x.push_back(x / static_cast<double>(end - begin));
    out.y.push_back(y / static_cast<double>(end - begin));
  }
  return out;
}

std::string render_svg(const Chart& chart) {
  Extent x_extent, y_extent;
  for (const Series& series : chart.series) {
    check(series.x.size() == series.y.size(), "[chart] x and y differ in length:", series.name,
          series.x.size(), series.y.size());
    check(series.spread.empty() || series.spread.size() == series.y.size(),
          "[chart] spread and y differ in length:", series.name, series.spread.size(),
          series.y.size());
    for (size_t i = 0; i < series.x.size(); ++i) {
      if (!usable(chart, series.x[i], series.y[i])) continue;
      x_extent.include(series.x[i]);
      y_extent.include(series.y[i]);
      if (series.spread.empty() || !std::isfinite(series.spread[i])) continue;
      for (double end : {series.y[i] - series.spread[i], series.y[i] + series.spread[i]})
        if (usable(chart, series.x[i], end)) y_extent.include(end);
    }
  }
  SvgWriter svg(kWidth, kHeight, chart.title);
  svg.text({kLeft, 22}, chart.title, "font-size=\"15\" font-weight=\"600\" fill=\"#1b1f24\"");
  if (x_extent.empty()) {
    svg.text({kWidth / 2, kHeight / 2}, "no data", "text-anchor=\"middle\" fill=\"#57606a\"");
    return std::move(svg).finish();
  }
  const double top = legend(&svg, legend_of(chart));
  const Axis x = x_axis(chart, x_extent), y = y_axis(chart, y_extent, top);
  draw_axes(svg, chart, x, y);
  // A little room around the plot, so that markers on its border stay whole.
  svg.begin_clip({kLeft - 4, top - 4}, kWidth - kLeft - kRight + 8, kHeight - kBottom - top + 8);
  // Dashed lines first: the solid ones are what the eye should find.
  for (const bool dashed : {true, false})
    for (const Series& series : chart.series)
      if (series.dashed == dashed) draw_series(svg, chart, series, x, y);
  svg.end_clip();
  return std::move(svg).finish();
}

}  // namespace ditto::apps
