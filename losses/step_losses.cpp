#include "autograd/ops/index_select.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/shape_ops.h"
#include "losses/distillation.h"
#include "losses/ens_loss.h"
#include "losses/focal.h"
#include "losses/ldr.h"
#include "losses/loss_table.h"
#include "losses/nce.h"
#include "losses/targets.h"

namespace ditto::losses {
namespace {

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

}  // namespace

std::vector<LossEntry> step_losses() {
  return {
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
}

}  // namespace ditto::losses
