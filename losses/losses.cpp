#include "losses/losses.h"

#include <cmath>

#include "autograd/ops/arithmetic.h"
#include "losses/loss_table.h"
#include "losses/targets.h"

namespace ditto::losses {
namespace {

// The one table of names.
const std::vector<LossEntry>& entries() {
  static const std::vector<LossEntry> table = [] {
    std::vector<LossEntry> all = plain_losses();
    for (const auto& more : {head_losses(), step_losses()})
      all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return table;
}

constexpr std::string_view kTransformed = "t-";

bool is_transformed(const std::string& name) { return name.rfind(kTransformed, 0) == 0; }

const LossEntry& find(const std::string& name) {
  const std::string own = is_transformed(name) ? name.substr(kTransformed.size()) : name;
  for (const LossEntry& entry : entries())
    if (own == entry.name) return entry;
  std::string known;
  for (const std::string& other : loss_names()) known += (known.empty() ? "" : ", ") + other;
  fail("[losses] unknown loss '" + name + "'; known: " + known);
}

Values values_of(const LossEntry& entry, const LossConfig& config) {
  check(entry.soft_targets || config.label_smoothing == 0, "[losses]", entry.name,
        "takes hard labels, which cannot be smoothed:", config.label_smoothing);
  return {option_values(entry.name, entry.options, config.options), config.label_smoothing};
}

}  // namespace

std::map<std::string, double> option_values(const std::string& loss,
                                            const std::vector<LossOption>& known,
                                            const std::map<std::string, double>& given) {
  std::map<std::string, double> values;
  std::string names;
  for (const LossOption& option : known) {
    values[option.name] = option.value;
    names += (names.empty() ? "" : ", ") + option.name;
  }
  for (const auto& [name, value] : given) {
    check(values.count(name) == 1, "[losses]", loss, "has no option '" + name + "';",
          names.empty() ? "it has none" : "it has " + names);
    values[name] = value;
  }
  return values;
}

int64_t whole_option(const std::string& name, double value) {
  check(value == std::floor(value) && std::fabs(value) <= 1e6, "[losses]", name,
        "must be a whole number, got", value);
  return static_cast<int64_t>(value);
}

std::vector<std::string> loss_names() {
  std::vector<std::string> names;
  for (const LossEntry& entry : entries()) {
    names.push_back(entry.name);
    names.push_back(std::string(kTransformed) + entry.name);
  }
  return names;
}

ClassificationLoss make_loss(const std::string& name, const LossConfig& config) {
  const LossEntry& entry = find(name);
  const RowLoss rows = [given = entry.make(values_of(entry, config)), name](
                           const ClassifierOutput& output, const Tensor& target, Context context) {
    check(!uses_features(name) || (output.features.defined() && output.weights.defined()),
          "[losses]", name, "reads the head's features and weights, and was given none");
    check(!uses_teacher(name) || output.teacher.defined(), "[losses]", name,
          "reads a teacher's logits, and was given none");
    return given(output, target, context);
  };
  if (!is_transformed(name))
    return [rows](const ClassifierOutput& output, const Tensor& target, Context context) {
      return reduce(rows(output, target, context), Reduction::Mean);
    };
  const LossTransformOptions options{
      .rho = config.rho, .anchor_grad = config.anchor_grad, .mixing = config.mixing};
  return [rows, options](const ClassifierOutput& output, const Tensor& target, Context context) {
    const Tensor own = transform_target(target, context.samples, options);
    return loss_transform_rows(rows(output, own, context), output.logits, context.samples, options,
                               is_soft(target) ? target : Tensor());
  };
}

std::vector<LossOption> loss_options(const std::string& name) { return find(name).options; }

bool uses_groups(const std::string& name) {
  find(name);
  return is_transformed(name);
}

bool takes_soft_targets(const std::string& name) { return find(name).soft_targets; }

nn::HeadOptions loss_head(const std::string& name, const std::map<std::string, double>& options) {
  const LossEntry& entry = find(name);
  switch (entry.reads) {
    case Reads::Features:
      return {.bias = false};
    case Reads::Cosines:
    case Reads::CosinesAndFeatures:
      return {.bias = false, .cosine_scale = values_of(entry, {.options = options})["scale"]};
    case Reads::Logits:
    case Reads::Teacher:
    case Reads::TeacherAndFeatures:
      break;
  }
  return {};
}

bool uses_features(const std::string& name) {
  const Reads reads = find(name).reads;
  return reads == Reads::Features || reads == Reads::CosinesAndFeatures ||
         reads == Reads::TeacherAndFeatures;
}

bool uses_teacher(const std::string& name) {
  const Reads reads = find(name).reads;
  return reads == Reads::Teacher || reads == Reads::TeacherAndFeatures;
}

std::unique_ptr<nn::Module> make_loss_state(const std::string& name, const TrainingShape& shape,
                                            const std::map<std::string, double>& options) {
  const LossEntry& entry = find(name);
  return entry.make_state ? entry.make_state(values_of(entry, {.options = options}), shape)
                          : nullptr;
}

bool differs_between_steps(const std::string& name) { return find(name).differs_between_steps; }

}  // namespace ditto::losses
