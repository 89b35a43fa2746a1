#include "apps/common/report.h"

#include <cmath>
#include <cstdlib>

#include "apps/common/environment.h"
#include "apps/common/files.h"
#include "core/rng.h"
#include "tests/apps/markup.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace ditto;
using namespace ditto::apps;
using ditto::testing::contains;
using ditto::testing::count;
using ditto::testing::markup_problem;
using ditto::testing::TempDir;

namespace {

// A made-up training that looks like a real one: falling error, noisy loss, cosine rate.
RunRecord synthetic_run(const std::string& name, double final_error, int epochs, uint64_t seed) {
  Rng rng(seed);
  RunRecord run;
  run.name = name;
  run.status = "completed";
  run.config = {{"loss", name}, {"batch", 128}, {"epochs", epochs}, {"lr", 0.1}, {"rho", 1.0}};
  run.parameters = 269722;
  constexpr int kSteps = 390;
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const double done = static_cast<double>(epoch) / epochs;
    const double rate = 0.05 * (1 + std::cos(3.14159265 * done));
    const double error = final_error + 0.5 * std::exp(-6 * done) + 0.02 * (1 - done) * rng.normal();
    for (int step = 0; step < kSteps; step += 10) {
      const double at = epoch - 1 + static_cast<double>(step) / kSteps;
      run.steps.push_back({.step = (epoch - 1) * kSteps + step + 1.0,
                           .epoch = at,
                           .images = at * 50000,
                           .loss = 2.2 * std::exp(-3 * at / epochs) + 0.1 + 0.05 * rng.normal(),
                           .learning_rate = 0.05 * (1 + std::cos(3.14159265 * at / epochs))});
    }
    run.epochs.push_back({.epoch = static_cast<double>(epoch),
                          .images = epoch * 50000.0,
                          .seconds = epoch * 230.0,
                          .images_per_second = 240,
                          .learning_rate = rate,
                          .train_loss = 2.2 * std::exp(-3 * done) + 0.1,
                          .train_error = error * 0.8,
                          .test_loss = 3 * error,
                          .test_error = error});
  }
  return run;
}

// Replicas of coloured gradients.
ReplicaSheet synthetic_sheet(int64_t n, int64_t m, int64_t channels) {
  const auto paint = [&](int64_t images, int64_t per_source) {
    std::vector<uint8_t> pixels;
    for (int64_t i = 0; i < images; ++i)
      for (int64_t y = 0; y < 32; ++y)
        for (int64_t x = 0; x < 32; ++x)
          for (int64_t c = 0; c < channels; ++c)
            pixels.push_back(static_cast<uint8_t>((x + 3 * (i % per_source)) * 7 * (c + 1) +
                                                  y * 5 * (i / per_source + 1)));
    return Tensor::from(pixels, {images, 32, 32, channels});
  };
  ReplicaSheet sheet{
      "Replicas", "What the network sees of an image.", paint(n, 1), paint(n * m, m), m, {}};
  for (int64_t i = 0; i < n; ++i) sheet.labels.push_back("class " + std::to_string(i));
  return sheet;
}

Report synthetic_report() {
  Report report;
  report.title = "train_cifar: cce against t-cce";
  report.subtitle = "CIFAR-10, ResNet-20, 269,722 parameters, seed 1";
  report.runs = {synthetic_run("cce", 0.085, 30, 1), synthetic_run("t-cce", 0.072, 30, 2)};
  report.figures = curve_figures(report.runs);
  report.sheets = {synthetic_sheet(6, 8, 3)};
  report.environment = describe_environment({"./train_cifar", "--compare", "cce,t-cce"});
  return report;
}

}  // namespace

TEST_CASE("the report holds every run, curve, picture and setting", "[apps]") {
  const Report report = synthetic_report();
  const std::string html = render_html(report);
  CHECK(markup_problem(html) == "");
  CHECK(html.find("\"nan") == std::string::npos);
  for (const char* part :
       {"<title>train_cifar: cce against t-cce</title>", "CIFAR-10, ResNet-20", "id=\"error\"",
        "id=\"error_second_half\"", "id=\"loss\"", "id=\"learning_rate\"", "test accuracy",
        "One epoch is 50,000 images seen.", "git_revision", "machine.cpu", "libraries.onednn",
        ">lr</th>"})
    CHECK_THAT(html, contains(part));
  CHECK(count(html, "<svg xmlns") == 4);
  CHECK(count(html, "<img ") == 6 * 9);
  CHECK(count(html, "src=\"data:image/png;base64,") == 6 * 9);
  // Self-contained: no scripts, no addresses but the SVG namespace, and a policy that says so.
  CHECK(html.find("<script") == std::string::npos);
  CHECK(html.find("<link") == std::string::npos);
  CHECK(count(html, "http") ==
        count(html, "http://www.w3.org/2000/svg") + count(html, "http-equiv"));
  CHECK_THAT(html, contains("default-src 'none'"));

  // A person can look at the page: DITTO_REPORT_DEMO=folder keeps it.
  if (const char* folder = std::getenv("DITTO_REPORT_DEMO")) write_report(folder, report);
}

TEST_CASE("settings that differ stand first and are marked", "[apps]") {
  const std::string html = render_html(synthetic_report());
  const size_t different = html.find("<tr class=\"differs\"><th scope=\"row\">loss</th>");
  const size_t common = html.find("<tr><th scope=\"row\">batch</th>");
  REQUIRE(different != std::string::npos);
  REQUIRE(common != std::string::npos);
  CHECK(different < common);
  CHECK(count(html, "class=\"differs\"") == 1);
}

TEST_CASE("names from outside cannot break the page", "[apps]") {
  Report report = synthetic_report();
  const std::string evil = "<script>alert('x')</script>\"&\xFF";
  report.title = report.subtitle = evil;
  report.notes = {evil};
  report.runs[0].name = report.runs[0].status = evil;
  report.runs[0].config[evil] = evil;
  report.environment[evil] = evil;
  report.sheets[0].title = report.sheets[0].caption = report.sheets[0].labels[0] = evil;
  report.figures = curve_figures(report.runs);
  const std::string html = render_html(report);
  CHECK(markup_problem(html) == "");
  CHECK(html.find("<script") == std::string::npos);
  CHECK(count(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\xEF\xBF\xBD") >=
        10);
}

TEST_CASE("runs that stopped early or measured nothing still get a report", "[apps]") {
  Report report;
  report.title = "empty";
  CHECK(markup_problem(render_html(report)) == "");
  RunRecord broken;
  broken.name = "cce";
  broken.status = "stopped at step 17: the loss is not finite";
  report.runs = {broken};
  report.figures = curve_figures(report.runs);
  CHECK(report.figures.empty());
  std::string html = render_html(report);
  CHECK(markup_problem(html) == "");
  CHECK_THAT(html, contains("stopped at step 17"));

  report.runs[0].steps = {
      {.step = 1, .epoch = 0.1, .images = 10, .loss = 2.3, .learning_rate = 0.1},
      {.step = 2, .epoch = 0.2, .images = 20, .loss = NAN, .learning_rate = 0.1}};
  report.figures = curve_figures(report.runs);
  REQUIRE(report.figures.size() == 2);
  CHECK(report.figures[0].name == "loss");
  html = render_html(report);
  CHECK(markup_problem(html) == "");
  CHECK(html.find("\"nan") == std::string::npos);
}

TEST_CASE("epochs of different lengths are compared by images seen", "[apps]") {
  std::vector<RunRecord> runs = {synthetic_run("a", 0.1, 4, 1), synthetic_run("b", 0.1, 4, 2)};
  CHECK_THAT(curve_figures(runs)[0].svg, contains(">epoch</text>"));
  for (EpochMetrics& epoch : runs[1].epochs) epoch.images /= 2;
  CHECK_THAT(curve_figures(runs)[0].svg,
             contains(">images seen</text>") && contains(">100k</text>"));
}

TEST_CASE("the error curves say how much earlier a run reaches the first one's best", "[apps]") {
  const auto run = [](const std::string& name, const std::vector<double>& errors) {
    RunRecord record;
    record.name = name;
    for (size_t i = 0; i < errors.size(); ++i)
      record.epochs.push_back(
          {.epoch = i + 1.0, .images = (i + 1) * 100.0, .test_error = errors[i]});
    return record;
  };
  const RunRecord base = run("cce", {0.5, 0.4, 0.3, 0.2, 0.25});
  std::string caption = curve_figures({base, run("t-cce", {0.5, 0.35, 0.2, 0.15, 0.1})})[0].caption;
  CHECK_THAT(caption, contains("Lowest test error of cce: 20.00 %, at epoch 4."));
  CHECK_THAT(caption, contains("t-cce reaches it at epoch 3, 25 % earlier."));
  caption = curve_figures({base, run("a", {0.5, 0.5, 0.5, 0.5, 0.2}), run("b", {0.5})})[0].caption;
  CHECK_THAT(caption, contains("a reaches it at epoch 5, 25 % later. b does not reach it."));
  CHECK(curve_figures({base})[0].caption.find("Lowest") == std::string::npos);
}

TEST_CASE("runs with the same schedule share its line", "[apps]") {
  std::vector<RunRecord> runs = {synthetic_run("a", 0.1, 4, 1), synthetic_run("b", 0.2, 4, 2)};
  REQUIRE(curve_figures(runs).back().name == "learning_rate");
  CHECK(count(curve_figures(runs).back().svg, "<polyline") == 1);
  CHECK_THAT(curve_figures(runs).back().svg, contains(">a, b</text>"));
  for (StepMetrics& step : runs[1].steps) step.learning_rate *= 2;
  CHECK(count(curve_figures(runs).back().svg, "<polyline") == 2);
}

TEST_CASE("figures of other kinds and grey images find their place", "[apps]") {
  const TempDir dir;
  Report report = synthetic_report();
  report.figures.push_back({"confusion", "Who is taken for whom.",
                            "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>\n"});
  report.sheets = {synthetic_sheet(2, 3, 1)};
  report.sheets[0].sources = Tensor();
  write_report(dir.path(), report);
  for (const char* name : {"error", "error_second_half", "loss", "learning_rate", "confusion"}) {
    CAPTURE(name);
    const std::string svg = read_file(dir / (std::string(name) + ".svg"));
    CHECK(markup_problem(svg) == "");
    CHECK(svg.rfind("<svg xmlns=\"http://www.w3.org/2000/svg\"", 0) == 0);
  }
  const std::string html = read_file(dir / "report.html");
  CHECK(count(html, "<img ") == 6);
  CHECK_THAT(html, contains("Who is taken for whom."));
}

TEST_CASE("tables and sections stand in their places", "[apps]") {
  Report report = synthetic_report();
  Table table;
  table.columns = {{"<class>"}, {"images", true}};
  table.add_row({"cat & dog", "7"});
  report.tables = {{.title = "Early", .note = "A <note>.", .table = table, .after_figures = false},
                   {.title = "Late", .note = "", .table = table, .after_figures = true}};
  report.figures.push_back({.name = "last",
                            .caption = "of its own section",
                            .svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>\n",
                            .section = "Other",
                            .wide = true});
  const std::string html = render_html(report);
  CHECK(markup_problem(html) == "");
  CHECK(html.find("<h2>Early</h2>") < html.find("<h2>Curves</h2>"));
  CHECK(html.find("<h2>Curves</h2>") < html.find("<h2>Other</h2>"));
  CHECK(html.find("<h2>Other</h2>") < html.find("<h2>Late</h2>"));
  CHECK(count(html, "<h2>Curves</h2>") == 1);
  CHECK(count(html, "class=\"card wide\"") == 1);
  CHECK_THAT(html, contains("A &lt;note&gt;.") && contains("cat &amp; dog"));
  // Without runs there is neither their table nor their configuration.
  report.runs.clear();
  CHECK(render_html(report).find("<h2>Results</h2>") == std::string::npos);
  CHECK(render_html(report).find("<h2>Configuration</h2>") == std::string::npos);
}

TEST_CASE("a replica sheet of the wrong shape is refused", "[apps]") {
  Report report;
  report.sheets = {synthetic_sheet(2, 3, 3)};
  report.sheets[0].replicas_per_source = 4;
  CHECK_THROWS_WITH(render_html(report), contains("[replica_sheet]") && contains("(6, 32, 32, 3)"));
  report.sheets = {synthetic_sheet(2, 3, 3)};
  report.sheets[0].labels.pop_back();
  CHECK_THROWS_WITH(render_html(report), contains("labels"));
  report.sheets = {synthetic_sheet(2, 3, 3)};
  report.sheets[0].sources = Tensor::zeros({3, 32, 32, 3}, Dtype::U8);
  CHECK_THROWS_WITH(render_html(report), contains("sources"));
  report.sheets = {synthetic_sheet(2, 3, 3)};
  report.sheets[0].replicas = Tensor::zeros({6, 32, 32, 3});
  CHECK_THROWS_WITH(render_html(report), contains("u8"));
  report.sheets = {ReplicaSheet{}};
  CHECK_THROWS_AS(render_html(report), Error);
}
