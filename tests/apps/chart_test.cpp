#include "apps/common/chart.h"

#include <cmath>
#include <limits>

#include "apps/common/svg.h"
#include "core/error.h"
#include "tests/apps/markup.h"
#include "tests/support/catch.h"

using namespace ditto::apps;
using ditto::testing::contains;
using ditto::testing::count;
using ditto::testing::markup_problem;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Every number of the picture's geometry is finite: "nan" and "inf" only occur in words.
void check_svg(const std::string& svg) {
  CHECK(markup_problem(svg) == "");
  for (const char* bad : {"\"nan", "\"-nan", "\"inf", "\"-inf", ",nan", ",-nan", ",inf", ",-inf",
                          " nan,", " -nan,", " inf,", " -inf,"})
    CHECK(svg.find(bad) == std::string::npos);
}

std::string draw(std::vector<double> x, std::vector<double> y, bool log_y = false) {
  Chart chart;
  chart.title = "A title";
  chart.log_y = log_y;
  chart.series = {{"s", std::move(x), std::move(y)}};
  const std::string svg = render_svg(chart);
  check_svg(svg);
  return svg;
}

}  // namespace

TEST_CASE("ticks are round numbers inside the range", "[apps]") {
  CHECK(nice_ticks(0, 10, 6) == std::vector<double>{0, 2, 4, 6, 8, 10});
  CHECK(nice_ticks(0, 1, 5) == std::vector<double>{0, 0.5, 1});
  CHECK(nice_ticks(-1, 1, 5) == std::vector<double>{-1, -0.5, 0, 0.5, 1});
  CHECK(nice_ticks(1, 3, 8) == std::vector<double>{1, 1.5, 2, 2.5, 3});
  for (const auto& [low, high] : {std::pair(0.0, 1e-12), std::pair(3.0, 3.0000001),
                                  std::pair(-7e20, 9e20), std::pair(0.137, 0.984)}) {
    CAPTURE(low, high);
    const std::vector<double> ticks = nice_ticks(low, high, 8);
    CHECK(ticks.size() >= 2);
    CHECK(ticks.size() <= 8);
    for (double tick : ticks)
      CHECK((tick >= low - 1e-6 * (high - low) && tick <= high + 1e-6 * (high - low)));
  }
  CHECK_THROWS_AS(nice_ticks(1, 1, 5), ditto::Error);
  CHECK_THROWS_AS(nice_ticks(0, kInfinity, 5), ditto::Error);
}

TEST_CASE("logarithmic ticks are powers of ten, or more where those are few", "[apps]") {
  CHECK(log_ticks(1e-4, 10).size() == 6);
  CHECK(log_ticks(0.9, 11) == std::vector<double>{1, 2, 5, 10});
  CHECK(log_ticks(2.1, 2.4).size() >= 2);
  CHECK(log_ticks(1e-100, 1e100).size() <= 9);
  CHECK_THROWS_AS(log_ticks(0, 1), ditto::Error);
}

TEST_CASE("tick texts have the decimals that the step needs", "[apps]") {
  CHECK(tick_text(0.25, 0.05, NumberStyle::Plain) == "0.25");
  CHECK(tick_text(0.3, 0.1, NumberStyle::Plain) == "0.3");
  CHECK(tick_text(1, 0.5, NumberStyle::Plain) == "1.0");
  CHECK(tick_text(0, 0.5, NumberStyle::Plain) == "0");
  CHECK(tick_text(20, 10, NumberStyle::Plain) == "20");
  CHECK(tick_text(3e-7, 1e-7, NumberStyle::Plain) == "3e-07");
  CHECK(tick_text(0.3, 0.1, NumberStyle::Percent) == "30 %");
  CHECK(tick_text(0.075, 0.005, NumberStyle::Percent) == "7.5 %");
  CHECK(tick_text(1500000, 500000, NumberStyle::Count) == "1.5M");
  CHECK(tick_text(500000, 500000, NumberStyle::Count) == "500k");
  CHECK(tick_text(0, 500000, NumberStyle::Count) == "0");
}

TEST_CASE("coordinates must be finite", "[apps]") {
  CHECK(svg_number(12.50) == "12.5");
  CHECK(svg_number(-0.001) == "0");
  CHECK(svg_number(100) == "100");
  CHECK_THROWS_AS(svg_number(kNan), ditto::Error);
  CHECK_THROWS_AS(svg_number(kInfinity), ditto::Error);
}

TEST_CASE("gaps split a curve, and a lonely point is a dot", "[apps]") {
  CHECK(count(draw({1, 2, 3, 4}, {1, 2, 3, 4}), "<polyline") == 1);
  CHECK(count(draw({1, 2, 3, 4, 5}, {1, 2, kNan, 4, 5}), "<polyline") == 2);
  CHECK(count(draw({1, 2, 3, 4, 5}, {1, 2, kInfinity, 4, 5}), "<polyline") == 2);
  const std::string single = draw({1, 2, 3}, {1, kNan, 3});
  CHECK(count(single, "<polyline") == 0);
  CHECK(count(single, "<circle") == 4);  // two dots, two markers with their tooltips
}

TEST_CASE("degenerate data still gives a picture", "[apps]") {
  CHECK_THAT(draw({}, {}), contains("no data"));
  CHECK_THAT(draw({1, 2}, {kNan, kNan}), contains("no data"));
  CHECK_THAT(draw({1, 2}, {-1, 0}, true), contains("no data"));  // nothing to show on a log axis
  for (const bool log_y : {false, true}) {
    CHECK(count(draw({1}, {0.5}, log_y), "<circle") == 2);
    CHECK(count(draw({1, 1}, {2, 2}, log_y), "<polyline") == 1);
    draw({1, 2, 3}, {7, 7, 7}, log_y);
    draw({0, 1e9}, {1e-30, 1e30}, log_y);
    draw({1, 2, 3}, {0, 1e-300, 1}, log_y);
    draw({1, 2, 3}, {1e308, -1e308, 1}, log_y);
  }
  draw({0, 1}, {0, 0});
  draw({-5, 5}, {-3, -2});
  draw({-5}, {-3});
  CHECK_THROWS_AS(draw({1, 2}, {1}), ditto::Error);
}

TEST_CASE("the legend names each run once, and what the line styles mean", "[apps]") {
  Chart chart;
  chart.title = "<Error>";
  chart.solid_label = "test";
  chart.dashed_label = "train";
  chart.series = {{"a & b", {1, 2}, {1, 2}, 0, false},
                  {"a & b", {1, 2}, {2, 3}, 0, true},
                  {"c", {1, 2}, {3, 4}, 1, false}};
  std::string svg = render_svg(chart);
  check_svg(svg);
  CHECK(count(svg, ">a &amp; b</text>") == 1);
  CHECK(count(svg, ">c</text>") == 1);
  CHECK(count(svg, ">test</text>") == 1);
  CHECK(count(svg, ">train</text>") == 1);
  CHECK(count(svg, ">&lt;Error&gt;</text>") == 1);
  CHECK(svg.find(palette_colour(0)) != std::string::npos);
  CHECK(svg.find(palette_colour(1)) != std::string::npos);
  // Twenty long names: the legend takes rows, the plot shrinks, nothing leaves the picture.
  chart.series.clear();
  for (int i = 0; i < 20; ++i)
    chart.series.push_back(
        {"a rather long name of a run, number " + std::to_string(i), {1, 2}, {1, 2}, i});
  svg = render_svg(chart);
  check_svg(svg);
  CHECK(count(svg, "number") >= 20);
}

TEST_CASE("x_min hides what lies left of it and fits the rest", "[apps]") {
  Chart chart;
  chart.x_min = 2;
  chart.series = {{"s", {1, 2, 3}, {1000, 2, 1}}};
  const std::string svg = render_svg(chart);
  check_svg(svg);
  CHECK(svg.find("1000") == std::string::npos);
  CHECK(count(svg, "<circle") == 2);
}

TEST_CASE("thinning averages neighbours and keeps gaps", "[apps]") {
  Series series{"s", {}, {}};
  for (int i = 0; i < 1000; ++i) {
    series.x.push_back(i);
    series.y.push_back(2 * i + 1);
  }
  const Series thin = thinned(series, 100);
  REQUIRE(thin.x.size() == 100);
  CHECK(thin.x[0] == Approx(4.5));
  CHECK(thin.y[0] == Approx(10));
  CHECK(thin.y[99] == Approx(2 * 994.5 + 1));
  CHECK(thinned(series, 2000).x.size() == 1000);
  series.y[500] = kNan;
  const Series gap = thinned(series, 100);
  CHECK(std::isnan(gap.y[50]));
  CHECK(std::isfinite(gap.y[49]));
  CHECK(std::isfinite(gap.y[51]));
}
