// The report of one or several runs: one HTML file that needs nothing else (no network, no
// scripts), with the comparison table, curves, pictures, configuration and environment.
//
// A new kind of figure is one more function that returns a Figure; the page takes any number.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/common/json.h"
#include "apps/common/run_record.h"
#include "core/tensor.h"

namespace ditto::apps {

// A picture with its explanation. `name` is the stem of its file beside the report ("error" makes
// error.svg); `svg` is a complete SVG file.
struct Figure {
  std::string name = {}, caption = {}, svg = {};
  std::string section = "Curves";  // the heading under which it stands
  bool wide = false;               // takes the page's whole width
};

// A table with a heading; `note` stands below it.
struct ReportTable {
  std::string title = {}, note = {};
  Table table = {};
  bool after_figures = false;  // for long ones
};

// Augmented replicas of some images, a row for each source image.
struct ReplicaSheet {
  std::string title, caption;
  Tensor sources;   // u8 (N, H, W, C), shown first in each row; may be undefined
  Tensor replicas;  // u8 (N * replicas_per_source, H, W, C), grouped by source
  int64_t replicas_per_source = 1;
  std::vector<std::string> labels;  // of the sources; empty or N
};

struct Report {
  std::string title;               // "train_cifar: cce against t-cce"
  std::string subtitle;            // data set, model, machine, date
  std::vector<std::string> notes;  // remarks below the table
  std::vector<RunRecord> runs;
  std::vector<ReportTable> tables;  // below the table of runs
  std::vector<Figure> figures;      // curve_figures(runs) and whatever else there is to show
  std::vector<ReplicaSheet> sheets;
  Json environment = Json::object();
};

// Error curves (train dashed, test solid), their second half enlarged, loss and learning rate; what
// no run has measured is left out. Against epochs, or against images seen where the runs' epochs
// differ in length.
std::vector<Figure> curve_figures(const std::vector<RunRecord>& runs);

// The page; parts without content are left out. Throws Error on images of a wrong shape or dtype.
std::string render_html(const Report& report);

// Writes report.html and <name>.svg for every figure.
void write_report(const std::filesystem::path& folder, const Report& report);

}  // namespace ditto::apps
