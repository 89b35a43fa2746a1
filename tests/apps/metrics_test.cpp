#include "apps/common/metrics.h"

#include <cmath>
#include <limits>

#include "apps/common/files.h"
#include "apps/common/run_record.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace ditto::apps;
using ditto::testing::contains;
using ditto::testing::TempDir;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("every event is one line of plain JSON, written at once", "[apps]") {
  const TempDir dir;
  MetricsWriter writer(dir / "m.jsonl");
  writer.write("step", "t-cce",
               {{"loss", std::nan("")}, {"norm", kInfinity}, {"text", "line\nbreak"}});
  const std::string text = read_file(dir / "m.jsonl");  // the writer is still open
  CHECK(text.find('\n') == text.size() - 1);
  CHECK_THAT(text, contains(R"("loss":"NaN","norm":"Infinity","text":"line\nbreak")"));
  CHECK(text.rfind("{\"event\":\"step\",\"run\":\"t-cce\",\"time\":", 0) == 0);
  CHECK_THROWS_WITH(writer.write("step", "a", {{"time", 1}}), contains("must not be called time"));
  CHECK_THROWS_AS(writer.write("step", "a", Json::array()), ditto::Error);
  CHECK_THROWS_WITH(MetricsWriter(dir / "none/m.jsonl"), contains("No such file"));
}

TEST_CASE("a full disk is an error, not a silent gap", "[apps]") {
  if (!std::filesystem::exists("/dev/full")) DITTO_SKIP("no /dev/full");
  MetricsWriter writer("/dev/full");
  CHECK_THROWS_WITH(writer.write("step", "a", Json::object()), contains("No space left"));
}

TEST_CASE("a line cut by a killed process is ignored and then removed", "[apps]") {
  const TempDir dir;
  {
    MetricsWriter writer(dir / "m.jsonl");
    writer.write("step", "a", {{"step", 1}});
    writer.write("step", "a", {{"step", 2}});
  }
  const std::string whole = read_file(dir / "m.jsonl");
  write_file(dir / "m.jsonl", whole.substr(0, whole.size() - 5));
  REQUIRE(read_metrics(dir / "m.jsonl").size() == 1);
  {
    MetricsWriter writer(dir / "m.jsonl");
    writer.write("step", "a", {{"step", 3}});
  }
  const std::vector<Json> events = read_metrics(dir / "m.jsonl");
  REQUIRE(events.size() == 2);
  CHECK(events[0]["step"] == 1);
  CHECK(events[1]["step"] == 3);
  // A file that is one unfinished line.
  write_file(dir / "n.jsonl", "{\"event\":");
  CHECK(read_metrics(dir / "n.jsonl").empty());
  MetricsWriter again(dir / "n.jsonl");
  CHECK(read_file(dir / "n.jsonl").empty());
}

TEST_CASE("damage inside the file is an error with the line", "[apps]") {
  const TempDir dir;
  write_file(dir / "m.jsonl", "{\"event\":\"a\",\"run\":\"r\"}\n{\"event\"\n{}\n");
  CHECK_THROWS_WITH(read_metrics(dir / "m.jsonl"), contains("m.jsonl, line 2"));
  write_file(dir / "m.jsonl", "[1]\n");
  CHECK_THROWS_WITH(read_metrics(dir / "m.jsonl"), contains("not a JSON object"));
}

TEST_CASE("runs come back from metrics.jsonl as they were recorded", "[apps]") {
  const TempDir dir;
  std::vector<RunRecord> written;
  {
    MetricsWriter writer(dir / "m.jsonl");
    for (const char* name : {"cce", "t-cce"}) {
      RunRecorder recorder(writer, name, {{"loss", name}, {"batch", 64}}, 272474);
      recorder.step({.step = 1, .epoch = 0.5, .images = 500, .loss = 2.3, .learning_rate = 0.1});
      recorder.step({.step = 2, .epoch = 1, .images = 1000, .loss = kInfinity});
      recorder.epoch({.epoch = 1, .images = 1000, .seconds = 2.5, .test_error = 0.25});
      recorder.finish("stopped at step 2: the loss is not finite");
      written.push_back(recorder.record());
    }
    written[1].evaluation = {.top5_accuracy = 0.99, .ece = 0.02, .view_divergence = 0.1};
    write_evaluation(writer, written[1]);
    // Events of a later version are no error.
    writer.write("checkpoint", "cce", {{"path", "x"}});
  }
  const std::vector<RunRecord> read = load_runs(dir / "m.jsonl");
  REQUIRE(read.size() == 2);
  for (size_t r = 0; r < 2; ++r) {
    CHECK(read[r].name == written[r].name);
    CHECK(read[r].status == written[r].status);
    CHECK(read[r].config == written[r].config);
    CHECK(read[r].parameters == 272474);
    REQUIRE(read[r].steps.size() == 2);
    CHECK(read[r].steps[0].loss == 2.3);
    CHECK(read[r].steps[0].learning_rate == 0.1);
    CHECK(read[r].steps[1].loss == kInfinity);
    CHECK(std::isnan(read[r].steps[1].learning_rate));
    REQUIRE(read[r].epochs.size() == 1);
    CHECK(read[r].epochs[0].seconds == 2.5);
    CHECK(read[r].epochs[0].test_error == 0.25);
    CHECK(std::isnan(read[r].epochs[0].train_loss));
  }
  CHECK(std::isnan(read[0].evaluation.ece));
  CHECK(read[1].evaluation.top5_accuracy == 0.99);
  CHECK(read[1].evaluation.ece == 0.02);
  CHECK(read[1].evaluation.view_divergence == 0.1);
  CHECK(std::isnan(read[1].evaluation.tta_accuracy));
  write_file(dir / "bad.jsonl", R"({"event":"epoch","run":"a","test_error":"high"})"
                                "\n");
  CHECK_THROWS_WITH(load_runs(dir / "bad.jsonl"),
                    contains("not a number") && contains("test_error"));
  write_file(dir / "bad.jsonl", R"({"event":"epoch"})"
                                "\n");
  CHECK_THROWS_WITH(load_runs(dir / "bad.jsonl"), contains("lacks the text field run"));
}

TEST_CASE("the summary compares runs and marks the best", "[apps]") {
  RunRecord a, b, c;
  a.name = "cce";
  a.status = b.status = "completed";
  a.epochs = {
      {.epoch = 1, .images = 1000, .seconds = 10, .images_per_second = 200, .test_error = 0.2},
      {.epoch = 2,
       .images = 2000,
       .seconds = 25,
       .images_per_second = 100,
       .train_loss = 0.5,
       .test_error = 0.3}};
  b.name = "t-cce";
  b.epochs = {
      {.epoch = 1, .images = 1000, .seconds = 10, .images_per_second = 100, .test_error = 0.25}};
  c.name = "none";
  c.status = "stopped at step 3";
  CHECK(best_epoch(a) == 0);
  CHECK(best_epoch(c) == -1);
  const Table table = summary_table({a, b, c});
  REQUIRE(table.rows.size() == 3);
  CHECK(table.rows[0] == std::vector<std::string>{"cce", "70.00 %", "80.00 % (1)", "30.00 %", "0.5",
                                                  "2,000", "25 s", "133", "completed"});
  CHECK(table.rows[2] == std::vector<std::string>{"none", "--", "--", "--", "--", "--", "--", "--",
                                                  "stopped at step 3"});
  CHECK(table.is_best(1, 1));
  CHECK_FALSE(table.is_best(0, 1));
  CHECK(table.is_best(0, 2));
  CHECK(summary_table({a}).best.empty());
  CHECK(summary_table({a, b}).columns.size() == 8);  // no status where all is well
  CHECK(summary_table({}).rows.empty());

  // Averaged weights and evaluations have columns where there are any.
  CHECK(summary_table({a}).columns[4].heading == "train loss");
  RunRecord averaged = a;
  averaged.epochs.back().ema_test_error = 0.125;
  CHECK(summary_table({averaged}).columns[4].heading == "averaged weights");
  CHECK(summary_table({averaged, b}).rows[0][4] == "87.50 %");
  CHECK(summary_table({averaged, b}).rows[1][4] == "--");
  a.evaluation = {.top5_accuracy = 0.9, .ece = 0.03};
  b.evaluation = {.top5_accuracy = 0.95, .ece = 0.04};
  const Table evaluated = summary_table({a, b, c});
  REQUIRE(evaluated.columns.size() == 11);
  CHECK(evaluated.columns[4].heading == "top-5");
  CHECK(evaluated.columns[5].heading == "ECE");
  CHECK(evaluated.rows[0][4] == "90.00 %");
  CHECK(evaluated.rows[1][5] == "4.00 %");
  CHECK(evaluated.rows[2][4] == "--");
  CHECK(evaluated.is_best(1, 4));
  CHECK(evaluated.is_best(0, 5));
}
