#include "losses/losses.h"

#include <cmath>

#include "autograd/mixed_precision.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/group_kl.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/shape_ops.h"
#include "losses/angular.h"
#include "losses/any_loss.h"
#include "losses/comp_sum.h"
#include "losses/decoupled.h"
#include "losses/distillation.h"
#include "losses/ens_loss.h"
#include "losses/focal.h"
#include "losses/large_margin_softmax.h"
#include "losses/ldr.h"
#include "losses/nce.h"
#include "losses/targets.h"
#include "losses/unpg.h"
#include "losses/z_loss.h"

namespace ditto::losses {
namespace {

// The option values of one loss, defaults filled in, and the label smoothing.
struct Values {
  std::map<std::string, double> options;
  double label_smoothing;
  double operator[](const char* name) const { return options.at(name); }
  int whole(const char* name) const {
    return static_cast<int>(whole_option(name, options.at(name)));
  }
  bool flag(const char* name) const {
    const double value = options.at(name);
    check(value == 0 || value == 1, "[losses]", name, "must be 0 or 1, got", value);
    return value == 1;
  }
};

// Per-row losses (n); a scalar for losses of the whole batch.
using Context = const StepContext&;
using RowLoss =
    std::function<Tensor(const ClassifierOutput& output, const Tensor& target, Context context)>;
using State = std::unique_ptr<nn::Module>;

// What a loss reads beside logits of a linear head.
enum class Reads {
  Logits,
  Cosines,   // logits of a cosine head with the loss's scale
  Features,  // features and weights of a head without bias
  CosinesAndFeatures,
  Teacher,
  TeacherAndFeatures,
};

struct Entry {
  const char* name;
  std::vector<LossOption> options;
  bool soft_targets;
  RowLoss (*make)(const Values&);
  Reads reads = Reads::Logits;
  State (*make_state)(const Values&, const TrainingShape&) = nullptr;
  bool differs_between_steps = false;
};

constexpr Reduction kRows = Reduction::None;

template <AnyMetric kMetric>
RowLoss make_any_loss(const Values& v) {
  return [v](const Tensor& z, const Tensor& y, Context) {
    return any_loss_logits(z, y,
                           {.metric = kMetric,
                            .beta = kMetric == AnyMetric::FBeta ? v["beta"] : 1,
                            .amplification = v["amplification"]});
  };
}

// The cosines that a cosine head has scaled.
Tensor cosines(const Tensor& logits, const Values& v) { return widened(logits) * (1 / v["scale"]); }

CosFaceOptions cosface_options(const Values& v) {
  return {.scale = v["scale"],
          .margin = v["margin"],
          .ignore_index = kNoIgnoredLabel,
          .reduction = kRows};
}

ArcFaceOptions arcface_options(const Values& v) {
  return {.scale = v["scale"],
          .margin = v["margin"],
          .ignore_index = kNoIgnoredLabel,
          .reduction = kRows};
}

template <ElasticKind kKind>
RowLoss make_elastic(const Values& v) {
  check(v["margin"] >= 0 && v["deviation"] >= 0,
        "[losses] elastic margins have a mean (margin) and a deviation >= 0, got", v["margin"],
        v["deviation"]);
  return [v, plus = v.flag("plus")](const Tensor& z, const Tensor& y, Context context) {
    return elastic_face(cosines(z, v), y,
                        {.kind = kKind,
                         .scale = v["scale"],
                         .plus = plus,
                         .mean = v["margin"],
                         .deviation = v["deviation"],
                         .seed = context.seed,
                         .step = context.step,
                         .ignore_index = kNoIgnoredLabel,
                         .reduction = kRows});
  };
}

// The share of each row's class among the training images, of `rows`' dtype: what it is expected to
// be under a soft target.
Tensor expected_share(const Tensor& shares, const Tensor& target, const Tensor& rows) {
  const Tensor q = shares.to(rows.dtype());
  if (!is_soft(target)) return index_select(q, target);
  return reshape(matmul(target.to(rows.dtype()), reshape(q, {q.numel(), 1})), {target.dim(0)});
}

State class_shares(const Values&, const TrainingShape& shape) {
  return std::make_unique<ClassShares>(shape.class_counts);
}

Tensor with_negatives(const Tensor& margin_logits, const ClassifierOutput& out, const Tensor& y,
                      const Values& v) {
  return unpg(margin_logits, widened(unpg_negatives(out.features, y, {.whisker = v["whisker"]})), y,
              v["scale"], kNoIgnoredLabel, kRows);
}

// The one table of names. Label smoothing is part of the target of losses without an option for it.
const std::vector<Entry>& entries() {
  static const std::vector<Entry> table = {
      {"cce",
       {},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y, Context) {
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
         return [v](const Tensor& z, const Tensor& y, Context) {
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
         return [v](const Tensor& z, const Tensor& y, Context) {
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
         return [v](const Tensor& z, const Tensor& y, Context) {
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
         return [v](const Tensor& z, const Tensor& y, Context) {
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
         return [v](const Tensor& z, const Tensor& y, Context) {
           return sigmoid_focal(z, smoothed("sigmoid_focal", z, y, v.label_smoothing),
                                {.gamma = v["gamma"], .alpha = v["alpha"], .reduction = kRows});
         };
       }},
      {"z-loss",
       {{"a", 1}, {"b", 1}},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y, Context) {
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
         return [v](const Tensor& z, const Tensor& y, Context) {
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
         return [v](const Tensor& z, const Tensor& y, Context) {
           return decoupled_softmax(z, y, {.temperature = v["temperature"], .reduction = kRows});
         };
       }},
      {"soft-top-k",
       {{"k", 5}, {"alpha", 2}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y, Context) {
           return soft_top_k_loss(z, y,
                                  {.k = v.whole("k"), .alpha = v["alpha"], .reduction = kRows});
         };
       }},
      {"any-accuracy", {{"amplification", 73}}, false, make_any_loss<AnyMetric::Accuracy>},
      {"any-f", {{"beta", 1}, {"amplification", 73}}, false, make_any_loss<AnyMetric::FBeta>},
      {"any-gmean", {{"amplification", 73}}, false, make_any_loss<AnyMetric::GMean>},
      {"any-balanced", {{"amplification", 73}}, false, make_any_loss<AnyMetric::BalancedAccuracy>},
      {"large-margin-softmax",
       {{"margin", 2}, {"lambda", 0}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const ClassifierOutput& out, const Tensor& y, Context) {
           return large_margin_softmax(
               out.features, out.weights, y,
               {.margin = v.whole("margin"), .lambda = v["lambda"], .reduction = kRows});
         };
       },
       Reads::Features},
      {"normalized-softmax",
       {{"scale", 20}},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y, Context) {
           return normalized_softmax(cosines(z, v), y,
                                     {.scale = v["scale"],
                                      .label_smoothing = v.label_smoothing,
                                      .ignore_index = kNoIgnoredLabel,
                                      .reduction = kRows});
         };
       },
       Reads::Cosines},
      {"cosface",
       {{"scale", 64}, {"margin", 0.35}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y, Context) {
           return cosface(cosines(z, v), y, cosface_options(v));
         };
       },
       Reads::Cosines},
      {"arcface",
       {{"scale", 64}, {"margin", 0.5}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y, Context) {
           return arcface(cosines(z, v), y, arcface_options(v));
         };
       },
       Reads::Cosines},
      {"sface",
       {{"scale", 64}, {"slope", 80}, {"intra", 0.8}, {"inter", 1.23}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y, Context) {
           return sface(cosines(z, v), y,
                        {.scale = v["scale"],
                         .slope = v["slope"],
                         .intra = v["intra"],
                         .inter = v["inter"],
                         .ignore_index = kNoIgnoredLabel,
                         .reduction = kRows});
         };
       },
       Reads::Cosines},
      {"unpg-cosface",
       {{"scale", 64}, {"margin", 0.35}, {"whisker", 1.5}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const ClassifierOutput& out, const Tensor& y, Context) {
           return with_negatives(cosface_logits(cosines(out, v), y, cosface_options(v)), out, y, v);
         };
       },
       Reads::CosinesAndFeatures},
      {"unpg-arcface",
       {{"scale", 64}, {"margin", 0.5}, {"whisker", 1.5}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const ClassifierOutput& out, const Tensor& y, Context) {
           return with_negatives(arcface_logits(cosines(out, v), y, arcface_options(v)), out, y, v);
         };
       },
       Reads::CosinesAndFeatures},
      {"distillation",
       {{"temperature", 4}, {"weight", 0.5}},
       true,
       [](const Values& v) -> RowLoss {
         check(v["weight"] >= 0 && v["weight"] <= 1,
               "[losses] distillation's weight is outside [0, 1]:", v["weight"]);
         return [v](const ClassifierOutput& out, const Tensor& y, Context) {
           const Tensor own = cross_entropy(out, y,
                                            {.label_smoothing = v.label_smoothing,
                                             .ignore_index = kNoIgnoredLabel,
                                             .reduction = kRows});
           return own * (1 - v["weight"]) +
                  distillation(out, out.teacher,
                               {.temperature = v["temperature"], .reduction = kRows}) *
                      v["weight"];
         };
       },
       Reads::Teacher},
      {"elastic-arcface",
       {{"scale", 64}, {"margin", 0.5}, {"deviation", 0.05}, {"plus", 0}},
       false,
       make_elastic<ElasticKind::Arc>,
       Reads::Cosines,
       nullptr,
       true},
      {"elastic-cosface",
       {{"scale", 64}, {"margin", 0.35}, {"deviation", 0.05}, {"plus", 0}},
       false,
       make_elastic<ElasticKind::Cos>,
       Reads::Cosines,
       nullptr,
       true},
      {"ens-loss",
       {{"period", 1}},
       false,
       [](const Values& v) -> RowLoss {
         const int period = v.whole("period");
         check(period >= 1, "[losses] ens-loss's period must be at least one epoch, got", period);
         return [period](const Tensor& z, const Tensor& y, Context context) {
           return ens_loss_classes(z, y,
                                   {.seed = context.seed,
                                    .step = context.step,
                                    .period = context.epoch / static_cast<uint64_t>(period),
                                    .reduction = kRows});
         };
       },
       Reads::Logits,
       nullptr,
       true},
      {"aldr",
       {{"margin", 1}, {"lambda0", 1}, {"alpha", 2}},
       false,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y, Context context) {
           return aldr(z, y, context.samples, context.state_of<SampleTable>("aldr"),
                       {.margin = v["margin"],
                        .lambda0 = v["lambda0"],
                        .alpha = v["alpha"],
                        .ignore_index = kNoIgnoredLabel,
                        .reduction = kRows});
         };
       },
       Reads::Logits,
       [](const Values& v, const TrainingShape& shape) -> State {
         return std::make_unique<SampleTable>(shape.samples, v["lambda0"]);
       },
       true},
      {"generalized-focal",
       {{"eta", 1}, {"gamma", 5}},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const Tensor& z, const Tensor& y, Context context) {
           const Tensor rows = cross_entropy(z, y,
                                             {.label_smoothing = v.label_smoothing,
                                              .ignore_index = kNoIgnoredLabel,
                                              .reduction = kRows});
           const ClassShares& classes = context.state_of<ClassShares>("generalized-focal");
           return generalized_focal(rows, expected_share(classes.shares(), y, rows),
                                    {.eta = v["eta"], .gamma = v["gamma"]}, kRows);
         };
       },
       Reads::Logits,
       class_shares},
      {"nce",
       {{"noise", 10}},
       false,
       [](const Values& v) -> RowLoss {
         const int noise = v.whole("noise");
         return [noise](const Tensor& z, const Tensor& y, Context context) {
           return nce_classes(z, y, context.state_of<ClassShares>("nce").shares(),
                              {.noise = noise, .seed = context.seed, .step = context.step});
         };
       },
       Reads::Logits,
       class_shares,
       true},
      {"dual-head-distillation",
       {{"temperature", 2}, {"weight", 1}},
       true,
       [](const Values& v) -> RowLoss {
         return [v](const ClassifierOutput& out, const Tensor& y, Context context) {
           nn::Linear& head = context.state_of<nn::Linear>("dual-head-distillation");
           return dual_head_distillation(out, head(out.features), out.teacher, y,
                                         {.weight = v["weight"],
                                          .temperature = v["temperature"],
                                          .cross_entropy = {.label_smoothing = v.label_smoothing,
                                                            .ignore_index = kNoIgnoredLabel,
                                                            .reduction = kRows}});
         };
       },
       Reads::TeacherAndFeatures,
       [](const Values&, const TrainingShape& shape) -> State {
         return std::make_unique<nn::Linear>(shape.features,
                                             static_cast<int64_t>(shape.class_counts.size()));
       }},
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
  for (const Entry& entry : entries()) {
    names.push_back(entry.name);
    names.push_back(std::string(kTransformed) + entry.name);
  }
  return names;
}

ClassificationLoss make_loss(const std::string& name, const LossConfig& config) {
  const Entry& entry = find(name);
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
  const Entry& entry = find(name);
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
  const Entry& entry = find(name);
  return entry.make_state ? entry.make_state(values_of(entry, {.options = options}), shape)
                          : nullptr;
}

bool differs_between_steps(const std::string& name) { return find(name).differs_between_steps; }

}  // namespace ditto::losses
