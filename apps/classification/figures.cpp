#include "apps/classification/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "apps/common/chart.h"
#include "apps/common/heat_map.h"
#include "apps/common/png.h"
#include "apps/common/svg.h"
#include "apps/common/text.h"

namespace ditto::apps {
namespace {

constexpr int64_t kFewClasses = 20;  // up to here cells and bars have room for numbers
constexpr const char* kTitle = "font-size=\"15\" font-weight=\"600\" fill=\"#1b1f24\"";
constexpr const char* kGrid = "stroke=\"#e3e6ea\" stroke-width=\"1\"";
constexpr const char* kAxis = "stroke=\"#57606a\" stroke-width=\"1\"";

const std::string& name_of(const std::vector<std::string>& classes, int64_t k) {
  return classes.at(static_cast<size_t>(k));
}

std::string share_text(double share) { return fmt::format("{:.1f} %", 100 * share); }

void check_classes(const Evaluation& e, const std::vector<std::string>& classes) {
  check(static_cast<int64_t>(classes.size()) == e.classes, "[figures]", classes.size(),
        "class names for", e.classes, "classes");
}

// Row of a confusion matrix as shares of the class; the class without images has none.
double share(const Evaluation& e, int64_t label, int64_t k) {
  const int64_t all = e.class_images(label);
  return all > 0 ? double(e.count(label, k)) / double(all) : 0;
}

// "cat as dog 12.0 % of cat, ...".
std::string confusions_text(const Evaluation& e, const std::vector<std::string>& classes) {
  std::vector<std::string> parts;
  for (const auto& [label, k] : worst_confusions(e, 3))
    parts.push_back(fmt::format("{} taken for {} ({})", name_of(classes, label),
                                name_of(classes, k), share_text(share(e, label, k))));
  return parts.empty() ? "" : " Most often: " + join(parts, ", ") + ".";
}

}  // namespace

Figure confusion_figure(const NamedEvaluation& named, const std::vector<std::string>& classes) {
  const Evaluation& e = named.evaluation;
  check_classes(e, classes);
  const bool few = e.classes <= kFewClasses;
  HeatMap map{.rows = classes, .columns = classes, .cells = {}};
  map.cell_width = map.cell_height =
      std::clamp(560.0 / static_cast<double>(e.classes), few ? 26.0 : 10.0, 52.0);
  map.font_size = few ? 12 : 8.5;
  double worst = 0;
  for (int64_t label = 0; label < e.classes; ++label)
    for (int64_t k = 0; k < e.classes; ++k)
      if (k != label) worst = std::max(worst, share(e, label, k));
  for (int64_t label = 0; label < e.classes; ++label)
    for (int64_t k = 0; k < e.classes; ++k) {
      const double here = share(e, label, k);
      HeatCell cell{.hue = label == k ? Hue::Blue : Hue::Orange};
      // Errors have a scale of their own, or a good classifier's would all look white; the root
      // lifts the rare ones.
      cell.shade = label == k ? 0.75 * here : worst > 0 ? 0.75 * std::sqrt(here / worst) : 0;
      if (here > 0) {
        cell.text = std::to_string(e.count(label, k));
        cell.tooltip = fmt::format("{} predicted as {}: {} images, {}", name_of(classes, label),
                                   name_of(classes, k), e.count(label, k), share_text(here));
      }
      map.cells.push_back(std::move(cell));
    }
  const double left = 30 + map.left_margin(), top = 62 + map.top_margin();
  const double right_room = 0.75 * 0.7 * map.top_margin() + 16;  // of slanted names
  SvgWriter svg(left + map.width() + right_room, top + map.height() + 16,
                "Confusion matrix of " + named.run);
  svg.text({16, 24}, "Confusion matrix: " + shorten(named.run, 40), kTitle);
  svg.text({left + map.width() / 2, 52}, "predicted class",
           "text-anchor=\"middle\" fill=\"#24292f\"");
  svg.text({18, top + map.height() / 2}, "true class",
           fmt::format("text-anchor=\"middle\" fill=\"#24292f\" transform=\"rotate(-90 18 {})\"",
                       svg_number(top + map.height() / 2)));
  draw_heat_map(svg, map, {left, top});
  return {.name = "confusion_" + named.run,
          .caption = fmt::format(
              "{}: rows are true classes, columns predictions{}. Blue is right, orange wrong; the "
              "darkest orange is {} of a class, and lighter ones follow the square root.{}",
              named.run, few ? ", numbers are images" : "", share_text(worst),
              confusions_text(e, classes)),
          .svg = std::move(svg).finish(),
          .section = "Classes",
          .wide = !few};
}

Figure class_accuracy_figure(const std::vector<NamedEvaluation>& runs,
                             const std::vector<std::string>& classes) {
  check(!runs.empty(), "[class_accuracy_figure] there are no runs");
  const int64_t n = runs.front().evaluation.classes;
  const bool few = n <= kFewClasses;
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  const auto first_accuracy = [&](int64_t k) {
    const double accuracy = runs.front().evaluation.class_accuracy(k);
    return std::isnan(accuracy) ? -1 : accuracy;
  };
  if (!few)
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return first_accuracy(a) > first_accuracy(b); });
  int widest = 0;
  for (const std::string& name : classes)
    widest = std::max(widest, display_width(shorten(name, 24)));
  const double font = few ? 12 : 9, bar = few ? (runs.size() > 2 ? 9 : 11) : 5;
  const double group = std::max(font + 2, bar * static_cast<double>(runs.size()) + (few ? 8 : 4));
  const double left = 24 + widest * 0.58 * font, top = 66, width = 680, right = 56;
  const double height = group * static_cast<double>(n);
  const auto x = [&](double accuracy) { return left + (width - left - right) * accuracy; };
  SvgWriter svg(width, top + height + 40, "Accuracy of each class");
  svg.text({16, 24}, "Accuracy of each class", kTitle);
  double legend = left;
  for (size_t r = 0; r < runs.size(); ++r) {
    svg.rect({legend, 38}, 12, 12, fmt::format("fill=\"{}\"", palette_colour(static_cast<int>(r))));
    svg.text({legend + 18, 48}, shorten(runs[r].run, 28), "fill=\"#24292f\"");
    legend += 42 + 6.9 * display_width(shorten(runs[r].run, 28));
  }
  for (int tick = 0; tick <= 100; tick += 20) {
    svg.line({x(tick / 100.0), top}, {x(tick / 100.0), top + height}, kGrid);
    svg.text({x(tick / 100.0), top + height + 18}, fmt::format("{} %", tick),
             "text-anchor=\"middle\" fill=\"#424a53\"");
  }
  for (size_t row = 0; row < order.size(); ++row) {
    const int64_t k = order[row];
    const double middle = top + group * (static_cast<double>(row) + 0.5);
    svg.text(
        {left - 8, middle + font * 0.35}, shorten(name_of(classes, k), 24),
        fmt::format("text-anchor=\"end\" font-size=\"{}\" fill=\"#24292f\"", svg_number(font)));
    for (size_t r = 0; r < runs.size(); ++r) {
      check_classes(runs[r].evaluation, classes);
      const double accuracy = runs[r].evaluation.class_accuracy(k);
      if (std::isnan(accuracy)) continue;
      const double y = middle + bar * (static_cast<double>(r) - double(runs.size()) / 2);
      svg.rect({x(0), y}, x(accuracy) - x(0), bar - 1,
               fmt::format("fill=\"{}\"", palette_colour(static_cast<int>(r))),
               fmt::format("{}, {}: {} of {} images", runs[r].run, name_of(classes, k),
                           share_text(accuracy), runs[r].evaluation.class_images(k)));
      if (few)
        svg.text({x(accuracy) + 4, y + bar - 2}, fmt::format("{:.1f}", 100 * accuracy),
                 "font-size=\"9.5\" fill=\"#424a53\"");
    }
  }
  svg.line({left, top}, {left, top + height}, kAxis);
  return {.name = "class_accuracy",
          .caption = fmt::format("Share of each class's test images that are predicted right{}.",
                                 few ? "" : ", sorted by the accuracy of " + runs.front().run),
          .svg = std::move(svg).finish(),
          .section = "Classes"};
}

Figure calibration_figure(const NamedEvaluation& named) {
  const Evaluation& e = named.evaluation;
  constexpr double kWidth = 640, kLeft = 66, kRight = 24, kTop = 60, kBottom = 360;
  constexpr double kCountTop = 384, kCountBottom = 454;
  const auto x = [&](double v) { return kLeft + (kWidth - kLeft - kRight) * v; };
  const auto y = [&](double v) { return kBottom + (kTop - kBottom) * v; };
  SvgWriter svg(kWidth, 504, "Calibration of " + named.run);
  svg.text({kLeft, 24}, "Calibration: " + shorten(named.run, 40), kTitle);
  svg.text({kLeft, 46}, fmt::format("ECE {}, NLL {:.3f}", share_text(e.ece), e.nll),
           "fill=\"#24292f\"");
  int64_t most = 1;
  for (const CalibrationBin& bin : e.bins) most = std::max(most, bin.images);
  for (int tick = 0; tick <= 100; tick += 20) {
    const double v = tick / 100.0;
    svg.line({kLeft, y(v)}, {kWidth - kRight, y(v)}, kGrid);
    svg.line({x(v), kTop}, {x(v), kBottom}, kGrid);
    svg.text({kLeft - 7, y(v) + 4}, fmt::format("{} %", tick),
             "text-anchor=\"end\" fill=\"#424a53\"");
    svg.text({x(v), kCountBottom + 18}, fmt::format("{} %", tick),
             "text-anchor=\"middle\" fill=\"#424a53\"");
  }
  for (const CalibrationBin& bin : e.bins) {
    if (bin.images == 0) continue;
    const double left = x(bin.low) + 1, width = x(bin.high) - x(bin.low) - 2;
    const std::string tooltip = fmt::format(
        "confidence {} to {}: {} images, mean confidence {}, accuracy {}", share_text(bin.low),
        share_text(bin.high), bin.images, share_text(bin.confidence), share_text(bin.accuracy));
    const double high = std::max(bin.accuracy, bin.confidence);
    const double low = std::min(bin.accuracy, bin.confidence);
    svg.rect({left, y(low)}, width, kBottom - y(low), "fill=\"#0072b2\"", tooltip);
    // What lies between accuracy and confidence: the part of the ECE that this bin has.
    svg.rect({left, y(high)}, width, y(low) - y(high),
             bin.confidence > bin.accuracy ? "fill=\"#f2b48c\" stroke=\"#d55e00\""
                                           : "fill=\"#9fd0ef\" stroke=\"#0072b2\"",
             tooltip);
    const double count = (kCountBottom - kCountTop) * double(bin.images) / double(most);
    svg.rect({left, kCountBottom - count}, width, count, "fill=\"#8c959f\"", tooltip);
    svg.text({left + width / 2, kCountBottom - count - 3}, count_text(double(bin.images)),
             "text-anchor=\"middle\" font-size=\"9\" fill=\"#424a53\"");
  }
  svg.line({x(0), y(0)}, {x(1), y(1)}, "stroke=\"#1b1f24\" stroke-dasharray=\"5 4\"");
  svg.line({kLeft, kTop}, {kLeft, kBottom}, kAxis);
  svg.line({kLeft, kBottom}, {kWidth - kRight, kBottom}, kAxis);
  svg.line({kLeft, kCountBottom}, {kWidth - kRight, kCountBottom}, kAxis);
  svg.text({(kLeft + kWidth - kRight) / 2, 496}, "confidence (highest probability)",
           "text-anchor=\"middle\" fill=\"#24292f\"");
  for (const auto& [label, middle] : {std::pair("accuracy", (kTop + kBottom) / 2),
                                      std::pair("images", (kCountTop + kCountBottom) / 2)})
    svg.text({16, middle}, label,
             fmt::format("text-anchor=\"middle\" fill=\"#24292f\" transform=\"rotate(-90 16 {})\"",
                         svg_number(middle)));
  return {.name = "calibration_" + named.run,
          .caption = fmt::format(
              "{}: accuracy of the test images whose confidence lies in each of {} bins, and its "
              "distance from their mean confidence: orange where the classifier is too sure of "
              "itself, light blue where it is better than it thinks. Grey: number of images. ECE: "
              "the mean distance, weighted by images; a calibrated classifier follows the dashed "
              "line.",
              named.run, e.bins.size()),
          .svg = std::move(svg).finish(),
          .section = "Calibration"};
}

namespace {

// The classes that the figure has rows for, in their own order.
std::vector<int64_t> shown_classes(const std::vector<NamedViews>& runs, int64_t image,
                                   int64_t label) {
  constexpr size_t kMost = 10;
  const int64_t classes = runs.front().predictions.classes;
  std::vector<double> highest(static_cast<size_t>(classes), 0);
  for (const NamedViews& run : runs) {
    const auto p = run.predictions.of_image(image);
    for (size_t i = 0; i < p.size(); ++i) {
      double& h = highest[i % highest.size()];
      h = std::max(h, p[i]);
    }
  }
  std::vector<int64_t> order(highest.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return highest[static_cast<size_t>(a)] > highest[static_cast<size_t>(b)];
  });
  std::set<int64_t> kept(order.begin(),
                         order.begin() + std::min<std::ptrdiff_t>(kMost, std::ssize(order)));
  kept.insert(label);
  return {kept.begin(), kept.end()};
}

}  // namespace

Figure views_figure(const std::vector<NamedViews>& runs, const ViewSet& set,
                    const std::vector<int64_t>& labels, const std::vector<std::string>& classes) {
  check(!runs.empty() && set.images >= 1 && std::ssize(labels) >= set.images,
        "[views_figure] needs a run, an image and its label");
  const std::vector<double>& divergence = runs.front().predictions.divergence;
  const int64_t image = std::max_element(divergence.begin(), divergence.end()) - divergence.begin();
  const int64_t label = labels[static_cast<size_t>(image)];
  const std::vector<int64_t> shown = shown_classes(runs, image, label);
  const int64_t views = set.views, h = set.pictures.dim(1), w = set.pictures.dim(2),
                c = set.pictures.dim(3);
  constexpr double kCell = 54, kRow = 27, kGap = 36, kTop = 92;
  HeatMap map{.rows = {}, .columns = {}, .cells = {}, .cell_width = kCell, .cell_height = kRow};
  for (const int64_t k : shown)
    map.rows.push_back((k == label ? "\u25b8 " : "") + name_of(classes, k));
  map.columns.assign(static_cast<size_t>(views), "");
  const double left = 16 + map.left_margin(), panel = kCell * static_cast<double>(views);
  SvgWriter svg(left + panel * double(runs.size()) + kGap * double(runs.size() - 1) + 20,
                kTop + map.height() + 44, "Predicted probabilities of augmented views");
  svg.text({16, 24},
           fmt::format("Predicted probabilities of {} augmented views of one image ({})", views,
                       name_of(classes, label)),
           kTitle);
  std::string means;
  for (size_t r = 0; r < runs.size(); ++r) {
    const ViewPredictions& predictions = runs[r].predictions;
    check(predictions.views == views && std::ssize(classes) == predictions.classes,
          "[views_figure]", runs[r].run, "has other views or classes");
    const Point corner{left + (panel + kGap) * double(r), kTop + 24};
    const auto p = predictions.of_image(image);
    map.cells.clear();
    for (const int64_t k : shown)
      for (int64_t v = 0; v < views; ++v) {
        const double value = p[static_cast<size_t>(v * predictions.classes + k)];
        map.cells.push_back({.shade = value < 0.005 ? 0 : 0.9 * value,
                             .hue = k == label ? Hue::Blue : Hue::Orange,
                             .text = value < 0.005 ? "" : fmt::format("{:.2f}", value),
                             .tooltip = fmt::format("view {}, {}: {}", v + 1, name_of(classes, k),
                                                    share_text(value))});
      }
    svg.text({corner.x, 50}, shorten(runs[r].run, 40), "font-weight=\"600\" fill=\"#24292f\"");
    svg.text({corner.x + panel, 50},
             fmt::format("KL {:.3f}", predictions.divergence[static_cast<size_t>(image)]),
             "text-anchor=\"end\" fill=\"#57606a\"");
    for (int64_t v = 0; v < views; ++v) {
      const Tensor picture = set.pictures.alias(
          {h, w, c}, {w * c, c, 1}, set.pictures.offset() + (image * views + v) * h * w * c);
      const double scale = (kCell - 4) / double(std::max(h, w));
      svg.image({corner.x + kCell * double(v) + 1.5, 60}, double(w) * scale, double(h) * scale,
                png_data_uri(picture), fmt::format("view {}", v + 1));
    }
    draw_heat_map(svg, map, corner);
    map.rows.assign(shown.size(), "");  // the names stand once, on the left
    means +=
        fmt::format("{}{} {:.4f}", r > 0 ? ", " : "", runs[r].run, predictions.mean_divergence());
  }
  return {
      .name = "views",
      .caption = fmt::format(
          "Columns are views, rows classes (\u25b8 and blue: the true one). Shown is the one of "
          "the "
          "first {} test images whose views {} agrees on least, measured by the mean of "
          "KL(mean prediction || prediction) over its views. Mean of that over all {} images: {}.",
          set.images, runs.front().run, set.images, means),
      .svg = std::move(svg).finish(),
      .section = "Predictions of augmented views",
      .wide = true};
}

}  // namespace ditto::apps
