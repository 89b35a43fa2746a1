#include "apps/classification/run_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "apps/classification/objective.h"
#include "apps/common/text.h"

namespace ditto::apps {
namespace {

// Why no sweep may vary the option; "" when one may.
std::string why_not_swept(const Option& option) {
  const std::string& name = option.name();
  if (name == "loss" || name == "compare") return "--compare trains one run for each loss";
  if (name == "sweep" || name == "seeds") return "it makes several runs itself";
  if (name == "epochs" || name == "steps" || name == "minutes")
    return "all runs of a sweep see equally many images";
  if (option.group() == "Data") return "all runs share one data set";
  if (option.group() == "Run" && name != "seed") return "it is no part of the experiment";
  if (option.is_flag_only()) return "it belongs to the whole call";
  if (option.value().is_array()) return "its value is a list itself";
  return "";
}

// Would another value of the option make no difference to this loss?
bool ignores(const std::string& loss, const std::string& option) {
  static const std::set<std::string> of_transform = {"rho", "anchor-grad"},
                                     of_features = {"projector", "projection-dim", "linear-share",
                                                    "linear-lr", "knn-neighbours", "knn-images"};
  const LossKind kind = loss_kind(loss);
  if (option == "cce-replicas") return compares_replicas(loss);
  if (option == "replicas") return !compares_replicas(loss);
  if (kind == LossKind::Logits && of_features.count(option) > 0) return true;
  return of_transform.count(option) > 0 && (kind != LossKind::Logits || !losses::uses_groups(loss));
}

// The value may be any text of an option; a file name may not.
std::string file_name_part(std::string text) {
  for (char& c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain && c != '.' && c != '-') c = '_';
  }
  return text;
}

template <class T>
void refuse_twins(std::vector<T> values, const std::string& option) {
  std::sort(values.begin(), values.end());
  const auto twin = std::adjacent_find(values.begin(), values.end());
  if (twin != values.end()) throw UsageError(fmt::format("{} names {} twice", option, *twin));
}

struct Sweep {
  std::string name;                 // "" without --sweep
  std::vector<std::string> values;  // {""} without --sweep
};

Sweep parse_sweep(const std::string& text) {
  if (text.empty()) return {"", {""}};
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    throw UsageError(fmt::format("--sweep {}: write --sweep name=value,value,...", text));
  return {text.substr(0, equals), split(std::string_view(text).substr(equals + 1), ',')};
}

// --sweep seed=1,2,3 is --seeds 1,2,3.
std::vector<int64_t> swept_seeds(TrainOptions options, const std::vector<std::string>& values) {
  Config config;
  declare(config, options);
  std::vector<int64_t> seeds;
  for (const std::string& value : values) {
    config.find("seed").assign_text(value, Origin::Flag, "--sweep seed");
    seeds.push_back(options.seed);
  }
  return seeds;
}

// The values that several runs have for `part`, each once.
template <class Part>
auto distinct(const std::vector<PlannedRun>& runs, Part part) {
  std::vector<std::decay_t<decltype(part(runs.front()))>> out;
  for (const PlannedRun& run : runs)
    if (std::find(out.begin(), out.end(), part(run)) == out.end()) out.push_back(part(run));
  return out;
}

}  // namespace

std::vector<std::string> RunPlan::losses() const {
  return distinct(runs, [](const PlannedRun& run) { return run.options.loss; });
}
std::vector<std::string> RunPlan::values() const {
  auto out = distinct(runs, [](const PlannedRun& run) { return run.value; });
  out.erase(std::remove(out.begin(), out.end(), ""), out.end());
  return out;
}
std::vector<int64_t> RunPlan::seeds() const {
  return distinct(runs, [](const PlannedRun& run) { return run.options.seed; });
}

RunPlan plan_runs(const TrainOptions& options) {
  Sweep sweep = parse_sweep(options.sweep);
  const std::vector<std::string> losses =
      options.compare.empty() ? std::vector{options.loss} : options.compare;
  refuse_twins(losses, "compare");
  check_loss_options(options, losses);
  std::vector<int64_t> seeds = options.seeds.empty() ? std::vector{options.seed} : options.seeds;
  const bool several_seeds = !options.seeds.empty() || sweep.name == "seed";
  if (sweep.name == "seed") {
    if (!options.seeds.empty()) throw UsageError("--sweep seed=... and --seeds exclude each other");
    seeds = swept_seeds(options, sweep.values);
    sweep = parse_sweep("");
  }
  refuse_twins(seeds, "seeds");

  // No option of the program has the name of a loss's own option.
  const bool of_loss = std::any_of(losses.begin(), losses.end(), [&](const std::string& loss) {
    return has_loss_option(loss, sweep.name);
  });
  RunPlan plan{.swept = sweep.name, .runs = {}};
  std::set<Json> seen;  // 0.1 and 0.10 are the same value
  for (const int64_t seed : seeds)
    for (const std::string& value : sweep.values)
      for (const std::string& loss : losses) {
        const bool ignored = of_loss ? !has_loss_option(loss, sweep.name)
                                     : !sweep.name.empty() && ignores(loss, sweep.name);
        if (ignored && value != sweep.values.front()) continue;
        PlannedRun run{.name = loss, .options = options, .value = ignored ? "" : value};
        run.options.compare.clear();
        run.options.seeds.clear();
        run.options.sweep.clear();
        run.options.loss = loss;
        run.options.seed = seed;
        run.changes["loss"] = loss;
        if (several_seeds) run.changes["seed"] = seed;
        if (of_loss && !ignored) {
          run.changes[sweep.name] = set_loss_option(run.options, sweep.name, value);
          run.name += "-" + sweep.name + file_name_part(value);
        } else if (!of_loss && !sweep.name.empty()) {
          // The option is found and checked by its own declaration, bound to this run's copy.
          Config config;
          declare(config, run.options);
          Option& option = config.find(sweep.name, "--sweep");
          if (const std::string why = why_not_swept(option); !why.empty())
            throw UsageError(fmt::format("--sweep cannot vary {}: {}", sweep.name, why));
          if (!ignored) {
            option.assign_text(value, Origin::Flag, "--sweep " + sweep.name);
            run.changes[sweep.name] = option.value();
            run.name += "-" + sweep.name + file_name_part(value);
          }
        }
        if (several_seeds) run.name += fmt::format("-seed{}", seed);
        if (!seen.insert(run.changes).second)
          throw UsageError(fmt::format("--sweep {} names {} twice", sweep.name, value));
        check_options(run.options);
        check_loss_values(run.options);
        plan.runs.push_back(std::move(run));
      }
  if (!sweep.name.empty() && plan.values().empty())
    throw UsageError(
        fmt::format("--sweep {}: {} does not depend on it", sweep.name, join(losses, " and ")));
  return plan;
}

std::string plan_title(const RunPlan& plan) {
  std::string title = join(plan.losses(), " against ");
  if (!plan.swept.empty()) title += fmt::format(", {} {}", plan.swept, join(plan.values(), ", "));
  std::vector<std::string> seeds;
  for (const int64_t seed : plan.seeds()) seeds.push_back(std::to_string(seed));
  if (seeds.size() > 1) title += ", seeds " + join(seeds, ", ");
  return title;
}

}  // namespace ditto::apps
