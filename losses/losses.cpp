#include "losses/losses.h"

#include "autograd/ops/group_kl.h"
#include "losses/any_loss.h"
#include "losses/comp_sum.h"
#include "losses/decoupled.h"
#include "losses/focal.h"
#include "losses/ldr.h"
#include "losses/targets.h"
#include "losses/z_loss.h"

namespace ditto::losses {
namespace {

// The option values of one loss, defaults filled in, and the label smoothing.
struct Values {
  std::map<std::string, double> options;
  double label_smoothing;
  double operator[](const char* name) const { return options.at(name); }
};

// Per-row losses (n); a scalar for losses of the whole batch.
using RowLoss = std::function<Tensor(const Tensor& logits, const Tensor& target)>;

struct Entry {
  const char* name;
  std::vector<LossOption> options;
  bool soft_targets;
  RowLoss (*make)(const Values&);
};

constexpr Reduction kRows = Reduction::None;

template <AnyMetric kMetric>
RowLoss make_any_loss(const Values& v) {
  return [v](const Tensor& z, const Tensor& y) {
    return any_loss_logits(z, y,
                           {.metric = kMetric,
                            .beta = kMetric == AnyMetric::FBeta ? v["beta"] : 1,
                            .amplification = v["amplification"]});
  };
}

// The one table of names. Label smoothing is part of the target of losses without an option for it.
const std::vector<Entry>& entries() {
  static const std::vector<Entry> table = {
      {"cce",
       {},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y) {
           return cross_entropy(z, y,
                                {.label_smoothing = v.label_smoothing,
                                 .ignore_index = kNoIgnoredLabel,
                                 .reduction = kRows});
         };
       }},
      {"comp-sum",
       {{"tau", 1.5}, {"truncation", 0}},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y) {
           return comp_sum(z, y,
                           {.tau = v["tau"],
                            .truncation = v["truncation"],
                            .label_smoothing = v.label_smoothing,
                            .ignore_index = kNoIgnoredLabel,
                            .reduction = kRows});
         };
       }},
      {"gce",
       {{"q", 0.7}, {"truncation", 0}},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y) {
           return generalized_cross_entropy(z, y,
                                            {.q = v["q"],
                                             .truncation = v["truncation"],
                                             .label_smoothing = v.label_smoothing,
                                             .ignore_index = kNoIgnoredLabel,
                                             .reduction = kRows});
         };
       }},
      {"mae",
       {{"scale", 1}},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y) {
           return comp_sum(z, y,
                           {.tau = 2,
                            .scale = v["scale"],
                            .label_smoothing = v.label_smoothing,
                            .ignore_index = kNoIgnoredLabel,
                            .reduction = kRows});
         };
       }},
      {"softmax-focal",
       {{"gamma", 2}},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y) {
           return softmax_focal(z, y,
                                {.gamma = v["gamma"],
                                 .label_smoothing = v.label_smoothing,
                                 .ignore_index = kNoIgnoredLabel,
                                 .reduction = kRows});
         };
       }},
      {"sigmoid-focal",
       {{"gamma", 2}, {"alpha", 0.25}},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y) {
           return sigmoid_focal(z, smoothed("sigmoid_focal", z, y, v.label_smoothing),
                                {.gamma = v["gamma"], .alpha = v["alpha"], .reduction = kRows});
         };
       }},
      {"z-loss",
       {{"a", 1}, {"b", 1}},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y) {
           return z_loss(z, y,
                         {.a = v["a"],
                          .b = v["b"],
                          .label_smoothing = v.label_smoothing,
                          .ignore_index = kNoIgnoredLabel,
                          .reduction = kRows});
         };
       }},
      {"ldr",
       {{"margin", 2}, {"lambda", 1}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y) {
           return ldr(z, y,
                      {.margin = v["margin"],
                       .lambda = v["lambda"],
                       .ignore_index = kNoIgnoredLabel,
                       .reduction = kRows});
         };
       }},
      {"decoupled-softmax",
       {{"temperature", 1}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y) {
           return decoupled_softmax(z, y, {.temperature = v["temperature"], .reduction = kRows});
         };
       }},
      {"soft-top-k",
       {{"k", 5}, {"alpha", 2}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y) {
           return soft_top_k_loss(
               z, y, {.k = static_cast<int>(v["k"]), .alpha = v["alpha"], .reduction = kRows});
         };
       }},
      {"any-accuracy", {{"amplification", 73}}, false, make_any_loss<AnyMetric::Accuracy>},
      {"any-f", {{"beta", 1}, {"amplification", 73}}, false, make_any_loss<AnyMetric::FBeta>},
      {"any-gmean", {{"amplification", 73}}, false, make_any_loss<AnyMetric::GMean>},
      {"any-balanced", {{"amplification", 73}}, false, make_any_loss<AnyMetric::BalancedAccuracy>},
  };
  return table;
}

constexpr std::string_view kTransformed = "t-";

bool is_transformed(const std::string& name) { return name.rfind(kTransformed, 0) == 0; }

const Entry& find(const std::string& name) {
  const std::string own = is_transformed(name) ? name.substr(kTransformed.size()) : name;
  for (const Entry& entry : entries())
    if (own == entry.name) return entry;
  std::string known;
  for (const std::string& other : loss_names()) known += (known.empty() ? "" : ", ") + other;
  fail("[losses] unknown loss '" + name + "'; known: " + known);
}

Values values_of(const Entry& entry, const LossConfig& config) {
  check(entry.soft_targets || config.label_smoothing == 0, "[losses]", entry.name,
        "takes hard labels, which cannot be smoothed:", config.label_smoothing);
  Values values{{}, config.label_smoothing};
  std::string known;
  for (const LossOption& option : entry.options) {
    values.options[option.name] = option.value;
    known += (known.empty() ? "" : ", ") + option.name;
  }
  for (const auto& [name, value] : config.options) {
    check(values.options.count(name) == 1, "[losses]", entry.name, "has no option '" + name + "';",
          known.empty() ? "it has none" : "it has " + known);
    values.options[name] = value;
  }
  return values;
}

}  // namespace

std::vector<std::string> loss_names() {
  std::vector<std::string> names;
  for (const Entry& entry : entries()) {
    names.push_back(entry.name);
    names.push_back(std::string(kTransformed) + entry.name);
  }
  return names;
}

ClassificationLoss make_loss(const std::string& name, const LossConfig& config) {
  const Entry& entry = find(name);
  const RowLoss rows = entry.make(values_of(entry, config));
  if (!is_transformed(name))
    return [rows](const Tensor& logits, const Tensor& target, const Tensor&) {
      return reduce(rows(logits, target), Reduction::Mean);
    };
  const LossTransformOptions options{
      .rho = config.rho, .anchor_grad = config.anchor_grad, .mixing = config.mixing};
  return [rows, options](const Tensor& logits, const Tensor& target, const Tensor& groups) {
    const Tensor own = transform_target(target, groups, options);
    return loss_transform_rows(rows(logits, own), logits, groups, options,
                               is_soft(target) ? target : Tensor());
  };
}

std::vector<LossOption> loss_options(const std::string& name) { return find(name).options; }

bool uses_groups(const std::string& name) {
  find(name);
  return is_transformed(name);
}

bool takes_soft_targets(const std::string& name) { return find(name).soft_targets; }

}  // namespace ditto::losses
