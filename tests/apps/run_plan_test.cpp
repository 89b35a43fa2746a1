#include "apps/classification/run_plan.h"

#include "apps/classification/objective.h"
#include "apps/common/config.h"
#include "tests/support/catch.h"

namespace ditto::apps {
namespace {

std::vector<std::string> names(const RunPlan& plan) {
  std::vector<std::string> out;
  for (const PlannedRun& run : plan.runs) out.push_back(run.name);
  return out;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("run plan: one loss, or one run for each loss of --compare", "[apps]") {
  TrainOptions o;
  o.loss = "t-cce";
  o.seed = 7;
  CHECK(names(plan_runs(o)) == Strings{"t-cce"});
  CHECK(plan_runs(o).runs[0].options.seed == 7);
  o.compare = {"cce", "t-cce"};
  const RunPlan plan = plan_runs(o);
  CHECK(names(plan) == Strings{"cce", "t-cce"});
  CHECK(plan.runs[0].options.loss == "cce");
  CHECK(plan.runs[0].options.compare.empty());
  CHECK(plan.runs[0].changes == Json{{"loss", "cce"}});
  CHECK(plan_title(plan) == "cce against t-cce");
  CHECK(plan.swept.empty());
  CHECK(plan.values().empty());
}

TEST_CASE("run plan: losses, values and seeds multiply; what a value does not change runs once",
          "[apps]") {
  TrainOptions o;
  o.compare = {"cce", "t-cce"};
  o.sweep = "rho=0.1,3";
  o.seeds = {1, 2};
  const RunPlan plan = plan_runs(o);
  CHECK(names(plan) == Strings{"cce-seed1", "t-cce-rho0.1-seed1", "t-cce-rho3-seed1", "cce-seed2",
                               "t-cce-rho0.1-seed2", "t-cce-rho3-seed2"});
  CHECK(plan.swept == "rho");
  CHECK(plan_title(plan) == "cce against t-cce, rho 0.1, 3, seeds 1, 2");
  CHECK(plan.losses() == Strings{"cce", "t-cce"});
  CHECK(plan.values() == Strings{"0.1", "3"});
  CHECK(plan.seeds() == std::vector<int64_t>{1, 2});
  const PlannedRun& last = plan.runs.back();
  CHECK(last.options.rho == 3);
  CHECK(last.options.seed == 2);
  CHECK(last.value == "3");
  CHECK(last.changes == Json{{"loss", "t-cce"}, {"seed", 2}, {"rho", 3.0}});
  CHECK(plan.runs[0].value.empty());
  CHECK(last.options.sweep.empty());
  CHECK(last.options.seeds.empty());
}

TEST_CASE("run plan: options of a loss go to the losses that have them", "[apps]") {
  TrainOptions o;
  o.compare = {"gce", "t-softmax-focal", "cce"};
  o.loss_option = {"gamma=1", "q=0.5"};
  const RunPlan plan = plan_runs(o);
  const auto own = [&](size_t run) {
    return loss_config(plan.runs[run].options, plan.runs[run].options.loss).options;
  };
  CHECK(own(0) == std::map<std::string, double>{{"q", 0.5}});
  CHECK(own(1) == std::map<std::string, double>{{"gamma", 1}});
  CHECK(own(2).empty());
  const auto refused = [&](const std::string& option, const std::string& message) {
    o.loss_option = {option};
    CHECK_THROWS_WITH(plan_runs(o), testing::contains(message));
  };
  refused("tau=1", "loss-option tau: gce, t-softmax-focal, cce has q, truncation, gamma");
  for (const char* text : {"gamma", "=1", "gamma=", "gamma=1x", "gamma=nan"})
    refused(text, "write name=number");
  refused("q=-1", "loss gce does not take these options");
  refused("gamma=-2", "gamma");
  o.compare = {};
  refused("gamma=1", "cce has no options");
  o.loss = "supcon";
  refused("temperature=-1", "temperature");
  o.loss = "clce";
  refused("lambda=2", "[0, 1]");
  o.loss = "large-margin-softmax";
  refused("margin=2.5", "must be a whole number");
  o.loss = "distillation";
  refused("weight=0.5", "needs a --teacher");
  o.loss = "cce";
  o.teacher = "weights.safetensors";
  o.loss_option = {};
  CHECK_THROWS_WITH(plan_runs(o), testing::contains("teacher: cce has none"));
}

TEST_CASE("run plan: an option of the losses is swept like one of the program", "[apps]") {
  TrainOptions o;
  o.compare = {"cce", "supcon", "t-softmax-focal"};
  o.sweep = "temperature=0.07,0.5";
  o.loss_option = {"temperature=1", "gamma=3"};
  const RunPlan plan = plan_runs(o);
  CHECK(names(plan) ==
        Strings{"cce", "supcon-temperature0.07", "t-softmax-focal", "supcon-temperature0.5"});
  CHECK(plan.values() == Strings{"0.07", "0.5"});
  CHECK(plan.runs[1].options.loss_option == Strings{"gamma=3", "temperature=0.07"});
  CHECK(plan.runs[1].changes == Json{{"loss", "supcon"}, {"temperature", 0.07}});
  const auto refused = [&](const std::string& sweep, const std::string& message) {
    o.sweep = sweep;
    CHECK_THROWS_AS(plan_runs(o), UsageError);
    CHECK_THROWS_WITH(plan_runs(o), testing::contains(message));
  };
  refused("temperature=0.1,x", "temperature=x");
  refused("temperature=0.1,0.10", "names 0.10 twice");
  refused("temperature=0.1,-1", "temperature");
  // No name means two things.
  Config config;
  declare(config, o);
  for (const std::string& loss : objective_names())
    for (const losses::LossOption& option : objective_options(loss))
      CHECK_THROWS_AS(config.find(option.name), UsageError);
}

TEST_CASE("run plan: numbers, names and switches can be swept", "[apps]") {
  TrainOptions o;
  o.sweep = "replicas=1,2,4,8";
  o.loss = "t-cce";
  CHECK(names(plan_runs(o)) ==
        Strings{"t-cce-replicas1", "t-cce-replicas2", "t-cce-replicas4", "t-cce-replicas8"});
  o.sweep = "optimizer=sgd,adamw";
  CHECK(plan_runs(o).runs[1].options.optimizer == "adamw");
  o.sweep = "flip=on,off";
  CHECK(plan_runs(o).runs[1].options.flip == false);
  o.sweep = "model=resnet20,resnet32";
  CHECK(plan_runs(o).runs[1].options.model == "resnet32");
  o.sweep = "seed=4,5";
  const RunPlan plan = plan_runs(o);
  CHECK(names(plan) == Strings{"t-cce-seed4", "t-cce-seed5"});
  CHECK(plan.seeds() == std::vector<int64_t>{4, 5});
  CHECK(plan.swept.empty());
}

TEST_CASE("run plan: what cannot be planned is a usage error that says why", "[apps]") {
  const auto refusal = [](const std::string& sweep, std::vector<int64_t> seeds = {},
                          std::vector<std::string> compare = {}) -> std::string {
    TrainOptions o;
    o.loss = "t-cce";
    o.sweep = sweep;
    o.seeds = std::move(seeds);
    o.compare = std::move(compare);
    try {
      plan_runs(o);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  using testing::contains;
  CHECK_THAT(refusal("roh=1,2"), contains("--sweep: unknown option \"roh\"; did you mean rho?"));
  for (const char* text : {"rho", "=1", "rho="})
    CHECK_THAT(refusal(text), contains("write --sweep name=value,value"));
  CHECK_THAT(refusal("rho=0.1,x"), contains("--sweep rho: \"x\" is not a number at least 0"));
  CHECK_THAT(refusal("rho=0.1,,1"), contains("--sweep rho: \"\" is not"));
  CHECK_THAT(refusal("rho=-1"), contains("at least 0"));
  CHECK_THAT(refusal("optimizer=sgd,adamm"), contains("did you mean adam"));
  CHECK_THAT(refusal("rho=0.1,0.10"), contains("names 0.10 twice"));
  CHECK_THAT(refusal("seed=1,1"), contains("seeds names 1 twice"));
  CHECK_THAT(refusal("", {3, 3}), contains("seeds names 3 twice"));
  CHECK_THAT(refusal("", {}, {"cce", "cce"}), contains("compare names cce twice"));
  CHECK_THAT(refusal("seed=1,2", {3}), contains("exclude each other"));
  CHECK_THAT(refusal("replicas=2,3"), contains("replicas 3"));
  for (const char* name : {"loss=cce", "compare=cce", "sweep=a", "seeds=1", "epochs=1,2", "steps=1",
                           "dataset=mnist", "threads=1,2", "milestones=0.5"})
    CHECK_THAT(refusal(name), contains("--sweep cannot vary"));
}

}  // namespace ditto::apps
