#include "losses/any_loss.h"
#include "losses/comp_sum.h"
#include "losses/decoupled.h"
#include "losses/focal.h"
#include "losses/ldr.h"
#include "losses/loss_table.h"
#include "losses/targets.h"
#include "losses/z_loss.h"

namespace ditto::losses {

template <AnyMetric kMetric>
static RowLoss make_any_loss(const Values& v) {
  return [v](const Tensor& z, const Tensor& y, Context) {
    return any_loss_logits(z, y,
                           {.metric = kMetric,
                            .beta = kMetric == AnyMetric::FBeta ? v["beta"] : 1,
                            .amplification = v["amplification"]});
  };
}

// Label smoothing is part of the target of losses without an option for it.
std::vector<LossEntry> plain_losses() {
  return {
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
  };
}

}  // namespace ditto::losses
