#include "apps/common/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "apps/common/chart.h"
#include "apps/common/files.h"
#include "apps/common/png.h"
#include "apps/common/text.h"

namespace ditto::apps {
namespace {

// Of all runs' step curves together: many noisy lines on top of each other need more smoothing.
constexpr size_t kMostStepPoints = 400;

// Colours are all set, background included, so that dark-mode browsers show the same page. The
// policy forbids every request: what is not in the file cannot be loaded by accident.
constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{}</title>
<style>
:root {{ color-scheme: light; }}
body {{ margin: 0; background: #f4f5f7; color: #1b1f24; line-height: 1.45;
  font: 15px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }}
main {{ max-width: 1320px; margin: 0 auto; padding: 28px 24px 48px; }}
h1 {{ font-size: 25px; margin: 0 0 4px; overflow-wrap: anywhere; }}
h2 {{ font-size: 18px; margin: 34px 0 10px; }}
.muted, figcaption {{ color: #57606a; }}
.card {{ background: #fff; border: 1px solid #d8dee4; border-radius: 8px; padding: 14px 16px;
  overflow-x: auto; }}
.grid {{ display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 520px), 1fr));
  align-items: start; }}
figure {{ margin: 0; }}
.wide {{ grid-column: 1 / -1; }}
figure svg {{ width: 100%; height: auto; display: block; }}
figcaption {{ font-size: 13px; margin-top: 6px; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 5px 14px 5px 0; text-align: left; border-bottom: 1px solid #e6e9ed;
  vertical-align: top; }}
tr:last-child > * {{ border-bottom: 0; }}
thead th {{ color: #57606a; font-weight: 600; font-size: 13px; white-space: nowrap; }}
.number + :not(.number) {{ padding-left: 14px; }}
.number {{ text-align: right; white-space: nowrap; padding-left: 14px; }}
.best {{ font-weight: 700; color: #0a6640; }}
.summary {{ width: 100%; }}
.summary td:first-child {{ white-space: nowrap; }}
.settings {{ font-size: 13px; width: 100%; }}
.settings th {{ font-weight: 400; color: #57606a; white-space: nowrap; }}
.settings td {{ font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 12.5px;
  overflow-wrap: anywhere; }}
.differs > * {{ background: #fff6dd; }}
.differs > th:first-child {{ color: #1b1f24; font-weight: 600; }}
.swatch {{ display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 8px; }}
.sheet td, .sheet th {{ padding: 3px; border: 0; vertical-align: middle; text-align: center; }}
.sheet th {{ font-weight: 400; font-size: 13px; color: #57606a; }}
.sheet th[scope=row] {{ text-align: right; padding-right: 10px; }}
.sheet .source {{ padding-right: 14px; }}
.sheet img {{ display: block; image-rendering: pixelated; }}
@media print {{ body {{ background: #fff; }} .card {{ break-inside: avoid; }} }}
</style>
</head>
<body>
<main>
)";

std::string swatch(size_t run) {
  return fmt::format("<span class=\"swatch\" style=\"background:{}\"></span>",
                     palette_colour(static_cast<int>(run)));
}

// `swatches`: the rows are the runs, in the order of their colours.
std::string table_html(const Table& table, bool swatches) {
  std::string html = "<table class=\"summary\">\n<thead><tr>";
  for (const Table::Column& column : table.columns)
    html += fmt::format("<th{}>{}</th>", column.number ? " class=\"number\"" : "",
                        escape_markup(column.heading));
  html += "</tr></thead>\n<tbody>\n";
  for (size_t r = 0; r < table.rows.size(); ++r) {
    html += "<tr>";
    for (size_t c = 0; c < table.columns.size(); ++c) {
      std::string classes = table.columns[c].number ? "number" : "";
      if (table.is_best(static_cast<int>(r), static_cast<int>(c))) classes += " best";
      html += fmt::format("<td class=\"{}\">{}{}</td>", classes,
                          c == 0 && swatches ? swatch(r) : "", escape_markup(table.rows[r][c]));
    }
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table>\n";
}

std::string table_section(const std::string& title, const Table& table, const std::string& note,
                          bool swatches) {
  std::string html = fmt::format("<h2>{}</h2>\n<div class=\"card\">\n{}</div>\n",
                                 escape_markup(title), table_html(table, swatches));
  if (!note.empty()) html += fmt::format("<p class=\"muted\">{}</p>\n", escape_markup(note));
  return html;
}

// The figures of each section under its heading, sections in the order of their first figures.
std::string figures_html(const std::vector<Figure>& figures) {
  std::vector<std::string> sections;
  for (const Figure& figure : figures)
    if (std::find(sections.begin(), sections.end(), figure.section) == sections.end())
      sections.push_back(figure.section);
  std::string html;
  for (const std::string& section : sections) {
    html += fmt::format("<h2>{}</h2>\n<div class=\"grid\">\n", escape_markup(section));
    for (const Figure& figure : figures)
      if (figure.section == section)
        html += fmt::format(
            "<figure class=\"card{}\" id=\"{}\">\n{}<figcaption>{}</figcaption></figure>\n",
            figure.wide ? " wide" : "", escape_markup(figure.name), figure.svg,
            escape_markup(figure.caption));
    html += "</div>\n";
  }
  return html;
}

// Names that any run has, in the order of first appearance, with the text in each run ("" where it
// is missing).
std::vector<std::pair<std::string, std::vector<std::string>>> settings_of(
    const std::vector<RunRecord>& runs) {
  std::vector<std::pair<std::string, std::vector<std::string>>> rows;
  for (size_t r = 0; r < runs.size(); ++r) {
    for (const auto& [name, text] : flatten(runs[r].config)) {
      auto row = std::find_if(rows.begin(), rows.end(),
                              [&name = name](const auto& known) { return known.first == name; });
      if (row == rows.end())
        row = rows.insert(rows.end(), {name, std::vector<std::string>(runs.size())});
      row->second[r] = text;
    }
  }
  return rows;
}

// All runs' options: one value column when the runs agree on all, else a column for each run and
// the rows that differ first.
std::string settings_html(const std::vector<RunRecord>& runs) {
  auto rows = settings_of(runs);
  const auto differs = [](const auto& row) {
    return std::any_of(row.second.begin(), row.second.end(),
                       [&](const std::string& text) { return text != row.second.front(); });
  };
  std::stable_partition(rows.begin(), rows.end(), differs);
  const size_t columns = !rows.empty() && differs(rows.front()) ? runs.size() : 1;
  std::string html = "<table class=\"settings\">\n";
  if (columns > 1) {
    html += "<thead><tr><th>option</th>";
    for (size_t r = 0; r < columns; ++r)
      html += fmt::format("<th>{}{}</th>", swatch(r), escape_markup(runs[r].name));
    html += "</tr></thead>\n";
  }
  for (const auto& row : rows) {
    html += fmt::format("<tr{}><th scope=\"row\">{}</th>", differs(row) ? " class=\"differs\"" : "",
                        escape_markup(row.first));
    for (size_t r = 0; r < columns; ++r)
      html += fmt::format("<td>{}</td>", escape_markup(row.second[r]));
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

std::string environment_html(const Json& environment) {
  std::string html = "<table class=\"settings\">\n";
  for (const auto& [name, text] : flatten(environment))
    if (!text.empty())
      html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape_markup(name),
                          escape_markup(text));
  return html + "</table>\n";
}

// Image `index` of a batch (N, H, W, C), as (H, W, C) sharing the pixels.
Tensor image_at(const Tensor& batch, int64_t index) {
  const Shape shape{batch.dim(1), batch.dim(2), batch.dim(3)};
  const Shape strides{batch.strides()[1], batch.strides()[2], batch.strides()[3]};
  return batch.alias(shape, strides, batch.offset() + index * batch.strides()[0]);
}

std::string image_html(const Tensor& image, const std::string& description) {
  // Small images are enlarged by a whole factor, so that every pixel stays a square.
  const int64_t side = std::max(image.dim(0), image.dim(1));
  const int64_t scale = std::max<int64_t>(1, 80 / side);
  return fmt::format("<img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"{}\">", png_data_uri(image),
                     image.dim(1) * scale, image.dim(0) * scale, escape_markup(description));
}

std::string sheet_html(const ReplicaSheet& sheet) {
  const int64_t m = sheet.replicas_per_source;
  check(sheet.replicas.defined() && sheet.replicas.rank() == 4 && m >= 1 &&
            sheet.replicas.dim(0) % m == 0,
        "[replica_sheet] replicas must be (N * replicas_per_source, H, W, C):", sheet.replicas,
        "and", m);
  const int64_t n = sheet.replicas.dim(0) / m;
  check(!sheet.sources.defined() || (sheet.sources.rank() == 4 && sheet.sources.dim(0) == n),
        "[replica_sheet] sources must be (N, H, W, C):", sheet.sources, "for N =", n);
  check(sheet.labels.empty() || static_cast<int64_t>(sheet.labels.size()) == n,
        "[replica_sheet] labels must be none or one for each source:", sheet.labels.size(), "of",
        n);

  std::string html = "<table class=\"sheet\">\n<tr><td></td>";
  if (sheet.sources.defined()) html += "<th class=\"source\">source</th>";
  html += fmt::format("<th colspan=\"{}\">replicas</th></tr>\n", m);
  for (int64_t source = 0; source < n; ++source) {
    const std::string label = sheet.labels.empty() ? "" : sheet.labels[static_cast<size_t>(source)];
    html += fmt::format("<tr><th scope=\"row\">{}</th>", escape_markup(label));
    if (sheet.sources.defined())
      html += fmt::format("<td class=\"source\">{}</td>",
                          image_html(image_at(sheet.sources, source), "source " + label));
    for (int64_t replica = 0; replica < m; ++replica)
      html +=
          fmt::format("<td>{}</td>", image_html(image_at(sheet.replicas, source * m + replica),
                                                fmt::format("replica {} {}", replica + 1, label)));
    html += "</tr>\n";
  }
  html += "</table>\n";
  return fmt::format("<h2>{}</h2>\n<figure class=\"card\">{}<figcaption>{}</figcaption></figure>\n",
                     escape_markup(sheet.title), html, escape_markup(sheet.caption));
}

// The horizontal axis that the curves of a report share.
struct Horizontal {
  bool by_images = false;
  std::string label = "epoch", note;
};

// Epochs say the same of two runs only if they have the same number of images.
Horizontal choose_horizontal(const std::vector<RunRecord>& runs) {
  double images_per_epoch = kNotMeasured;
  for (const RunRecord& run : runs) {
    if (run.epochs.empty()) continue;
    const EpochMetrics& last = run.epochs.back();
    const double here = last.images / last.epoch;
    if (!std::isfinite(here)) continue;
    // A part of a batch may stick out of the last epoch; 1 % is no difference that a curve shows.
    if (std::isfinite(images_per_epoch) && std::abs(here / images_per_epoch - 1) > 0.01)
      return {true, "images seen", "The runs' epochs differ in length."};
    images_per_epoch = here;
  }
  if (!std::isfinite(images_per_epoch)) return {};
  return {false, "epoch",
          fmt::format("One epoch is {} images seen.", count_text(images_per_epoch))};
}

template <class Metrics>
Series curve(const std::vector<Metrics>& records, double Metrics::*field, const Horizontal& axis,
             size_t run, const std::string& name, bool dashed) {
  Series series{name, {}, {}, static_cast<int>(run), dashed};
  for (const Metrics& record : records) {
    series.x.push_back(axis.by_images ? record.images : record.epoch);
    series.y.push_back(record.*field);
  }
  // Dots on epochs, of which there are few; single steps are no events.
  series.markers = std::is_same_v<Metrics, EpochMetrics>;
  return series;
}

bool has_data(const Series& series) {
  for (size_t i = 0; i < series.y.size(); ++i)
    if (std::isfinite(series.x[i]) && std::isfinite(series.y[i])) return true;
  return false;
}

Chart base_chart(std::string title, std::string y_label, const Horizontal& axis) {
  Chart chart;
  chart.title = std::move(title);
  chart.x_label = axis.label;
  chart.y_label = std::move(y_label);
  chart.x_style = axis.by_images ? NumberStyle::Count : NumberStyle::Plain;
  return chart;
}

void add_if_any(Chart& chart, Series series) {
  if (has_data(series)) chart.series.push_back(std::move(series));
}

// Runs that are compared often share their schedule: one line named after all of them, instead of
// lines of which only the last can be seen.
void merge_equal(std::vector<Series>& all) {
  std::vector<Series> merged;
  for (Series& series : all) {
    const auto twin = std::find_if(merged.begin(), merged.end(), [&](const Series& other) {
      return other.x == series.x && other.y == series.y;
    });
    if (twin == merged.end())
      merged.push_back(std::move(series));
    else
      twin->name += ", " + series.name;
  }
  if (merged.size() == 1 && all.size() > 2) merged[0].name = "all runs";
  all = std::move(merged);
}

// What figure 2 of paper 000 is about: how much earlier the other runs reach the lowest test error
// of the first one.
std::string earlier_text(const std::vector<RunRecord>& runs, const Horizontal& axis) {
  constexpr size_t kMostRuns = 4;  // more make no caption
  if (runs.size() < 2 || runs.size() > kMostRuns) return "";
  const int best = best_epoch(runs[0]);
  if (best < 0) return "";
  const EpochMetrics& base = runs[0].epochs[static_cast<size_t>(best)];
  const auto place = [&](const EpochMetrics& m) { return axis.by_images ? m.images : m.epoch; };
  const auto place_text = [&](const EpochMetrics& m) {
    return axis.by_images ? count_text(m.images) + " images seen" : "epoch " + number_text(m.epoch);
  };
  std::string text = fmt::format(" Lowest test error of {}: {}, at {}.", runs[0].name,
                                 percent_text(base.test_error), place_text(base));
  for (size_t r = 1; r < runs.size(); ++r) {
    const auto reached =
        std::find_if(runs[r].epochs.begin(), runs[r].epochs.end(),
                     [&](const EpochMetrics& m) { return m.test_error <= base.test_error; });
    if (reached == runs[r].epochs.end()) {
      text += fmt::format(" {} does not reach it.", runs[r].name);
      continue;
    }
    const double saved = 1 - place(*reached) / place(base);
    text += fmt::format(" {} reaches it at {}, {:.0f} % {}.", runs[r].name, place_text(*reached),
                        100 * std::abs(saved), saved < 0 ? "later" : "earlier");
  }
  return text;
}

}  // namespace

std::vector<Figure> curve_figures(const std::vector<RunRecord>& runs) {
  const Horizontal axis = choose_horizontal(runs);
  Chart error = base_chart("Error", "top-1 error", axis);
  error.y_style = NumberStyle::Percent;
  error.y_min = 0;
  error.solid_label = "test";
  error.dashed_label = "train";
  Chart loss = base_chart("Training loss", "loss", axis);
  Chart rate = base_chart("Learning rate", "learning rate", axis);
  rate.y_min = 0;
  const size_t most_points = std::clamp<size_t>(kMostStepPoints / (runs.size() + 1), 50, 200);
  size_t most_epochs = 0;
  double last_x = 0;
  for (size_t r = 0; r < runs.size(); ++r) {
    const RunRecord& run = runs[r];
    add_if_any(error, curve(run.epochs, &EpochMetrics::test_error, axis, r, run.name, false));
    add_if_any(error, curve(run.epochs, &EpochMetrics::train_error, axis, r, run.name, true));
    // Steps are finer than epochs; a run without steps still has its epochs' means.
    const bool steps = run.steps.size() > run.epochs.size();
    add_if_any(
        loss,
        steps ? thinned(curve(run.steps, &StepMetrics::loss, axis, r, run.name, false), most_points)
              : curve(run.epochs, &EpochMetrics::train_loss, axis, r, run.name, false));
    add_if_any(
        rate, steps
                  ? thinned(curve(run.steps, &StepMetrics::learning_rate, axis, r, run.name, false),
                            most_points)
                  : curve(run.epochs, &EpochMetrics::learning_rate, axis, r, run.name, false));
    most_epochs = std::max(most_epochs, run.epochs.size());
  }
  merge_equal(rate.series);
  for (const Series& series : error.series) last_x = std::max(last_x, series.x.back());

  std::vector<Figure> figures;
  const auto add = [&](const char* name, const Chart& chart, const std::string& caption) {
    if (!chart.series.empty()) figures.push_back({name, caption, render_svg(chart)});
  };
  add("error", error,
      "Share of wrong predictions. The training error is taken on augmented images while the "
      "weights change. " +
          axis.note + earlier_text(runs, axis));
  if (most_epochs >= 6 && last_x > 0) {
    Chart late = error;
    late.title = "Test error, second half of the training";
    late.x_min = last_x / 2;
    late.y_min.reset();
    late.dashed_label.clear();
    late.solid_label.clear();
    late.series.erase(std::remove_if(late.series.begin(), late.series.end(),
                                     [](const Series& series) { return series.dashed; }),
                      late.series.end());
    add("error_second_half", late, "The same test error on its own scale.");
  }
  add("loss", loss, "The loss that is minimised; different losses have different scales.");
  add("learning_rate", rate, "Learning rate of the optimizer's steps.");
  return figures;
}

std::string render_html(const Report& report) {
  std::string html = fmt::format(kHead, escape_markup(report.title));
  html += fmt::format("<h1>{}</h1>\n<div class=\"muted\">{}</div>\n", escape_markup(report.title),
                      escape_markup(report.subtitle));
  if (!report.runs.empty()) html += table_section("Results", summary_table(report.runs), "", true);
  for (const std::string& note : report.notes)
    html += fmt::format("<p class=\"muted\">{}</p>\n", escape_markup(note));
  const auto add_tables = [&](bool after_figures) {
    for (const ReportTable& table : report.tables)
      if (table.after_figures == after_figures)
        html += table_section(table.title, table.table, table.note, false);
  };
  add_tables(false);
  html += figures_html(report.figures);
  add_tables(true);
  for (const ReplicaSheet& sheet : report.sheets) html += sheet_html(sheet);
  html += "<div class=\"grid\">\n";
  if (!report.runs.empty())
    html += fmt::format("<section><h2>Configuration</h2><div class=\"card\">\n{}</div></section>\n",
                        settings_html(report.runs));
  html +=
      fmt::format("<section><h2>Environment</h2><div class=\"card\">\n{}</div></section>\n</div>\n",
                  environment_html(report.environment));
  return html + "</main>\n</body>\n</html>\n";
}

void write_report(const std::filesystem::path& folder, const Report& report) {
  for (const Figure& figure : report.figures)
    write_file(folder / (figure.name + ".svg"), figure.svg);
  write_file(folder / "report.html", render_html(report));
}

}  // namespace ditto::apps
