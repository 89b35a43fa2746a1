#include "losses/pair_losses.h"

#include "autograd/mixed_precision.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/l2_normalize.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/shape_ops.h"
#include "losses/amcl.h"
#include "losses/batch_views.h"
#include "losses/h_scl.h"
#include "losses/hydra.h"
#include "losses/icnn.h"
#include "losses/info_nce.h"
#include "losses/lacln.h"
#include "losses/multi_similarity.h"
#include "losses/multi_view.h"
#include "losses/mw.h"
#include "losses/robust_contrastive.h"
#include "losses/supcon.h"
#include "losses/tcl.h"
#include "losses/triplet.h"

namespace ditto::losses {
namespace {

// The values of one loss's options, defaults filled in.
using Values = std::map<std::string, double>;
using State = std::unique_ptr<nn::Module>;

struct Entry {
  const char* name;
  bool uses_labels;
  std::vector<LossOption> options;
  PairLossByName (*make)(const Values&);
  State (*make_state)(const Values&, const TrainingShape&) = nullptr;
  bool differs_between_steps = false;
  int64_t views = 0;  // of an image; 0: any number from two on
};

TclOptions tcl_options(const Values& v) {
  return {.temperature = v.at("temperature"), .k1 = v.at("k1"), .k2 = v.at("k2")};
}

// The one table of names.
const std::vector<Entry>& entries() {
  using T = const Tensor&;
  using Made = PairLossByName;
  static const std::vector<Entry> table = {
      {"supcon",
       true,
       {{"temperature", SupConOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = SupConOptions{.temperature = v.at("temperature")}](T z, T y, T) {
           return supcon(z, y, o);
         };
       }},
      {"tcl",
       true,
       {{"temperature", TclOptions().temperature},
        {"k1", TclOptions().k1},
        {"k2", TclOptions().k2}},
       [](const Values& v) -> Made {
         return [o = tcl_options(v)](T z, T y, T) { return tcl(z, y, o); };
       }},
      {"lacln",
       true,
       {{"temperature", LaclnOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = LaclnOptions{.temperature = v.at("temperature")}](T z, T y, T) {
           return lacln(z, y, o);
         };
       }},
      {"h-scl",
       true,
       {{"temperature", HSclOptions().temperature}, {"beta", HSclOptions().beta}},
       [](const Values& v) -> Made {
         return [o = HSclOptions{.temperature = v.at("temperature"), .beta = v.at("beta")}](
                    T z, T y, T samples) { return h_scl(z, samples, y, o); };
       },
       nullptr,
       false,
       2},
      {"multi-similarity",
       true,
       {{"alpha", MultiSimilarityOptions().alpha},
        {"beta", MultiSimilarityOptions().beta},
        {"threshold", MultiSimilarityOptions().threshold},
        {"margin", MultiSimilarityOptions().margin}},
       [](const Values& v) -> Made {
         return [o = MultiSimilarityOptions{.alpha = v.at("alpha"),
                                            .beta = v.at("beta"),
                                            .threshold = v.at("threshold"),
                                            .margin = v.at("margin")}](T z, T y, T) {
           return multi_similarity(z, y, o);
         };
       }},
      {"triplet-hard",
       true,
       {{"margin", TripletOptions().margin}},
       [](const Values& v) -> Made {
         return [o = TripletOptions{.margin = v.at("margin")}](T z, T y, T) {
           return triplet_hard(z, y, o);
         };
       }},
      {"triplet-all",
       true,
       {{"margin", TripletAllOptions().margin}},
       [](const Values& v) -> Made {
         return [o = TripletAllOptions{.margin = v.at("margin")}](T z, T y, T) {
           return triplet_all(z, y, o);
         };
       }},
      {"nt-xent",
       false,
       {{"temperature", NtXentOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = NtXentOptions{.temperature = v.at("temperature")}](T z, T, T samples) {
           return nt_xent(z, samples, o);
         };
       }},
      {"tcl-self",
       false,
       {{"temperature", TclOptions().temperature},
        {"k1", TclOptions().k1},
        {"k2", TclOptions().k2}},
       [](const Values& v) -> Made {
         return [o = tcl_options(v)](T z, T, T samples) { return tcl(z, samples, o); };
       }},
      {"mv-info-nce",
       false,
       {{"temperature", MvInfoNceOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = MvInfoNceOptions{.temperature = v.at("temperature")}](T z, T, T samples) {
           const Views views = by_view(z, samples);
           return mv_info_nce(views.z, views.count, o);
         };
       }},
      {"mv-dhel",
       false,
       {{"temperature", MvDhelOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = MvDhelOptions{.temperature = v.at("temperature")}](T z, T, T samples) {
           const Views views = by_view(z, samples);
           return mv_dhel(views.z, views.count, o);
         };
       }},
      {"info-nce",
       false,
       {{"temperature", InfoNceOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = InfoNceOptions{.temperature = v.at("temperature")}](T z, T, T samples) {
           return between_views(widened(z), samples,
                                [&](T queries, T keys) { return info_nce(queries, keys, o).loss; });
         };
       }},
      {"hard-contrastive",
       false,
       {{"temperature", HardContrastiveOptions().temperature},
        {"fraction", HardContrastiveOptions().fraction}},
       [](const Values& v) -> Made {
         return [o = HardContrastiveOptions{.temperature = v.at("temperature"),
                                            .fraction = v.at("fraction")}](T z, T, T samples) {
           return between_views(widened(z), samples, [&](T queries, T keys) {
             return hard_contrastive(queries, keys, o).loss;
           });
         };
       }},
      {"simple-contrastive",
       false,
       {{"lambda", SimpleContrastiveOptions().lambda}},
       [](const Values& v) -> Made {
         return [o = SimpleContrastiveOptions{.lambda = v.at("lambda")}](T z, T, T samples) {
           return between_views(widened(z), samples, [&](T queries, T keys) {
             return simple_contrastive(queries, keys, o).loss;
           });
         };
       }},
      {"icnn",
       true,
       {{"k", double(IcnnOptions().k)}},
       [](const Values& v) -> Made {
         return [o = IcnnOptions{.k = whole_option("k", v.at("k"))}](T z, T y, T) {
           return of_batch(icnn(widened(z), y, o).loss, z.dim(0));
         };
       }},
      {"proto-triplet",
       true,
       {{"margin", ProtoTripletOptions().margin}},
       [](const Values& v) -> Made {
         return [o = ProtoTripletOptions{.margin = v.at("margin")}](T z, T y, T samples) {
           return episode_triplet(widened(z), y, samples, o);
         };
       }},
      {"mw",
       false,
       {{"temperature", MwOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = MwOptions{.temperature = v.at("temperature")}](T z, T, T samples) {
           return between_views(l2_normalize(widened(z)), samples, [&](T queries, T keys) {
             return mw_loss_of_pairs(queries, keys, o);
           });
         };
       }},
      {"robust-contrastive",
       false,
       {{"radius", RobustContrastiveOptions().rho},
        {"gamma", RobustContrastiveOptions().gamma},
        {"min_temperature", RobustContrastiveOptions().min_temperature},
        {"max_temperature", RobustContrastiveOptions().max_temperature},
        {"rate", RobustContrastiveOptions().temperature_rate}},
       [](const Values&) -> Made {
         return [](T z, T, const StepContext& context) {
           return context.state_of<RobustContrastiveLoss>("robust-contrastive")(z, context.samples);
         };
       },
       [](const Values& v, const TrainingShape& shape) -> State {
         return std::make_unique<RobustContrastiveLoss>(
             shape.samples, RobustContrastiveOptions{.rho = v.at("radius"),
                                                     .gamma = v.at("gamma"),
                                                     .initial_temperature = v.at("max_temperature"),
                                                     .min_temperature = v.at("min_temperature"),
                                                     .max_temperature = v.at("max_temperature"),
                                                     .temperature_rate = v.at("rate")});
       },
       true},
      {"amcl",
       false,
       {{"heads", 3}, {"beta", AmclOptions().beta}},
       [](const Values& v) -> Made {
         return [o = AmclOptions{.beta = v.at("beta")}](T z, T, const StepContext& context) {
           return of_batch(context.state_of<AmclHeads>("amcl")(z, context.samples, o), z.dim(0));
         };
       },
       [](const Values& v, const TrainingShape& shape) -> State {
         return std::make_unique<AmclHeads>(whole_option("heads", v.at("heads")), shape.embeddings);
       },
       true},
      {"hydra",
       true,
       {{"temperature", HydraOptions().temperature}, {"pairs", 32}},
       [](const Values& v) -> Made {
         const int64_t pairs = whole_option("pairs", v.at("pairs"));
         check(pairs >= 1, "[losses] hydra needs at least one pair of classes, got", pairs);
         return [pairs, o = HydraOptions{.temperature = v.at("temperature")}](
                    T z, T y, const StepContext& context) {
           const auto classes = class_pairs(y, pairs, context);
           const Tensor gates = context.state_of<HydraGate>("hydra")(classes);
           return hydra(widened(z), y, widened(gates), classes, o);
         };
       },
       [](const Values&, const TrainingShape& shape) -> State {
         constexpr int64_t kLabelFeatures = 32, kHidden = 64;
         return std::make_unique<HydraGate>(static_cast<int64_t>(shape.class_counts.size()),
                                            kLabelFeatures, kHidden, shape.embeddings);
       },
       true},
  };
  return table;
}

const Entry& find(const std::string& name) {
  std::string known;
  for (const Entry& entry : entries()) {
    if (name == entry.name) return entry;
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  fail("[losses] unknown pair loss '" + name + "'; known: " + known);
}

// The loss's own options, and the factor that all have.
std::vector<LossOption> options_of(const Entry& entry) {
  std::vector<LossOption> options = entry.options;
  options.push_back({"scale", PairOptions().scale});
  return options;
}

}  // namespace

std::vector<std::string> pair_loss_names() {
  std::vector<std::string> names;
  for (const Entry& entry : entries()) names.push_back(entry.name);
  return names;
}

PairLossByName make_pair_loss(const std::string& name,
                              const std::map<std::string, double>& options) {
  const Entry& entry = find(name);
  const Values values = option_values(name, options_of(entry), options);
  const double scale = values.at("scale");
  check(scale > 0, "[losses] the scale of", name, "must be positive:", scale);
  PairLossByName loss = entry.make(values);
  if (scale == 1) return loss;
  return [loss, scale](const Tensor& z, const Tensor& labels, const StepContext& context) {
    PairLoss result = loss(z, labels, context);
    result.loss = result.loss * scale;
    return result;
  };
}

std::vector<LossOption> pair_loss_options(const std::string& name) {
  return options_of(find(name));
}

bool uses_labels(const std::string& name) { return find(name).uses_labels; }

std::unique_ptr<nn::Module> make_pair_loss_state(const std::string& name,
                                                 const TrainingShape& shape,
                                                 const std::map<std::string, double>& options) {
  const Entry& entry = find(name);
  return entry.make_state ? entry.make_state(option_values(name, options_of(entry), options), shape)
                          : nullptr;
}

bool pair_loss_differs_between_steps(const std::string& name) {
  return find(name).differs_between_steps;
}

int64_t pair_loss_views(const std::string& name) { return find(name).views; }

}  // namespace ditto::losses
