#include "autograd/mixed_precision.h"
#include "autograd/ops/arithmetic.h"
#include "losses/angular.h"
#include "losses/distillation.h"
#include "losses/large_margin_softmax.h"
#include "losses/loss_table.h"
#include "losses/unpg.h"

namespace ditto::losses {
namespace {

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

Tensor with_negatives(const Tensor& margin_logits, const ClassifierOutput& out, const Tensor& y,
                      const Values& v) {
  return unpg(margin_logits, widened(unpg_negatives(out.features, y, {.whisker = v["whisker"]})), y,
              v["scale"], kNoIgnoredLabel, kRows);
}

}  // namespace

std::vector<LossEntry> head_losses() {
  return {
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
  };
}

}  // namespace ditto::losses
