#include "apps/classification/sweep_summary.h"

#include <cmath>

#include "tests/apps/markup.h"
#include "tests/support/catch.h"

namespace ditto::apps {
namespace {

RunPlan make_plan(const std::string& sweep, std::vector<int64_t> seeds) {
  TrainOptions o;
  o.compare = {"cce", "t-cce"};
  o.sweep = sweep;
  o.seeds = std::move(seeds);
  return plan_runs(o);
}

// Completed runs of the plan with these final accuracies, in the plan's order.
std::vector<RunRecord> finished(const RunPlan& plan, const std::vector<double>& accuracies) {
  std::vector<RunRecord> runs;
  for (size_t i = 0; i < accuracies.size(); ++i) {
    RunRecord run;
    run.name = plan.runs[i].name;
    run.status = "completed";
    run.epochs = {{.epoch = 1, .images = 100, .seconds = 1, .test_error = 0.5},
                  {.epoch = 2, .images = 200, .seconds = 2, .test_error = 1 - accuracies[i]}};
    runs.push_back(run);
  }
  return runs;
}

}  // namespace

TEST_CASE("sweep: mean, deviation and gain over the seeds are right", "[apps]") {
  const RunPlan plan = make_plan("", {1, 2, 3});
  CHECK(is_sweep(plan));
  CHECK_FALSE(is_sweep(make_plan("", {})));
  const auto runs = finished(plan, {0.80, 0.82, 0.81, 0.84, 0.85, 0.89});
  const auto rows = sweep_rows(plan, runs);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].loss == "cce");
  CHECK(rows[0].accuracies.size() == 3);
  CHECK(rows[0].mean == Approx((0.80 + 0.81 + 0.85) / 3));
  CHECK(rows[0].deviation == Approx(std::sqrt((0.02 * 0.02 + 0.01 * 0.01 + 0.03 * 0.03) / 2)));
  CHECK(std::isnan(rows[0].gain));
  CHECK(rows[1].mean == Approx(0.85));
  CHECK(rows[1].gain == Approx(0.03));  // 0.02, 0.03, 0.04
  CHECK(rows[1].gain_deviation == Approx(0.01));
  const Table table = sweep_table(plan, runs);
  CHECK(table.rows[1] == std::vector<std::string>{"t-cce", "82.00 %", "84.00 %", "89.00 %",
                                                  "85.00 %", "3.61", "+3.00 \u00b1 1.00"});
  CHECK(table.is_best(1, 4));
  CHECK_FALSE(table.is_best(0, 4));
}

TEST_CASE("sweep: values are rows, a loss without the option is their base", "[apps]") {
  const RunPlan plan = make_plan("replicas=2,4,8", {});
  const auto runs = finished(plan, {0.70, 0.72, 0.75, 0.74});  // cce once, t-cce thrice
  const auto rows = sweep_rows(plan, runs);
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].value.empty());
  CHECK(rows[2].value == "4");
  CHECK(rows[2].gain == Approx(0.05));
  CHECK(std::isnan(rows[2].deviation));
  const Table table = sweep_table(plan, runs);
  CHECK(table.rows[0] == std::vector<std::string>{"cce", "any", "70.00 %", ""});
  CHECK(table.rows[2] == std::vector<std::string>{"t-cce", "4", "75.00 %", "+5.00"});
  CHECK(table.is_best(2, 2));

  const auto figures = sweep_figures(plan, runs);
  REQUIRE(figures.size() == 1);
  CHECK(figures[0].name == "accuracy_against_m");
  CHECK(testing::markup_problem(figures[0].svg) == "");
  for (const char* part :
       {">2</text>", ">4</text>", ">8</text>", "cce", "t-cce: 75.00 % at", "stroke-dasharray"})
    CHECK_THAT(figures[0].svg, testing::contains(part));
  CHECK_THAT(figures[0].caption, testing::contains("cce does not depend on replicas"));
  CHECK(sweep_figures(make_plan("", {1, 2}), {}).empty());
}

TEST_CASE("sweep: runs that failed or never started do not count", "[apps]") {
  const RunPlan plan = make_plan("rho=0.1,1", {1, 2});
  auto runs = finished(plan, {0.70, 0.71, 0.72, 0.73, 0.75});
  runs[4].status = "stopped: the loss is nan";  // t-cce, rho 0.1, seed 2
  const auto rows = sweep_rows(plan, runs);
  REQUIRE(rows.size() == 3);
  CHECK(rows[1].mean == Approx(0.71));
  CHECK(std::isnan(rows[1].accuracies[1]));
  CHECK(std::isnan(rows[1].deviation));
  CHECK(rows[2].gain == Approx(0.02));  // of seed 1 alone
  CHECK(sweep_table(plan, runs).rows[1][3] == "--");
  CHECK(testing::markup_problem(sweep_figures(plan, runs)[0].svg) == "");
  CHECK(sweep_figures(plan, {})[0].svg.find("\"nan") == std::string::npos);

  const std::string csv = sweep_csv(plan, runs);
  CHECK(testing::count(csv, "\n") == 7);
  CHECK_THAT(csv, testing::contains("run,loss,option,value,seed,test_accuracy"));
  CHECK_THAT(csv, testing::contains("cce-seed1,cce,rho,,1,0.7,0.7,,200,2,completed\n"));
  CHECK_THAT(csv,
             testing::contains("t-cce-rho0.1-seed1,t-cce,rho,0.1,1,0.71,0.71,,200,2,completed\n"));
  CHECK_THAT(csv, testing::contains("t-cce-rho0.1-seed2,t-cce,rho,0.1,2,0.75,0.75,,200,2,"
                                    "stopped: the loss is nan\n"));
  CHECK_THAT(csv, testing::contains("t-cce-rho1-seed2,t-cce,rho,1,2,,,,,,not started\n"));
}

TEST_CASE("sweep: bars show the deviation over the seeds", "[apps]") {
  const RunPlan plan = make_plan("rho=0.1,1", {1, 2});
  const auto figure = sweep_figures(plan, finished(plan, {0.7, 0.7, 0.72, 0.71, 0.74, 0.76}))[0];
  CHECK(figure.name == "sweep");
  CHECK(testing::count(figure.svg, "stroke-width=\"1.2\"") == 6);  // two bars with two caps each
  CHECK_THAT(figure.caption, testing::contains("Mean of 2 seeds"));
}

}  // namespace ditto::apps
