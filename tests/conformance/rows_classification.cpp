// The classification losses that are made of other ops, and every loss by name.
#include <algorithm>

#include "autograd/ops.h"
#include "losses/angular.h"
#include "losses/any_loss.h"
#include "losses/comp_sum.h"
#include "losses/decoupled.h"
#include "losses/depict.h"
#include "losses/distillation.h"
#include "losses/ens_loss.h"
#include "losses/focal.h"
#include "losses/large_margin_softmax.h"
#include "losses/ldr.h"
#include "losses/losses.h"
#include "losses/nce.h"
#include "losses/noprop.h"
#include "losses/unpg.h"
#include "losses/z_loss.h"
#include "tests/conformance/row.h"
#include "tests/support/classifier_output.h"
#include "tests/support/loss_vectors.h"

namespace ditto::testing {

std::vector<Row> classification_rows() {
  const Input z{{6, 4}, -2, 2}, other{{6, 4}, -2, 2}, cosines{{6, 4}, -0.9, 0.9};
  const Input y = Input::labels({0, 1, 3, 2, 0, 3}), groups = Input::labels({7, 7, 2, 7, 2, 5});
  const Input soft = Input::constant({6, 4}, 0.05, 0.4), constant = Input::constant({6, 4}, -2, 2);
  std::vector<Row> rows;
  // `ops`: those of the loss's parts that may complain about a dtype before the loss does.
  const auto add = [&](const std::string& name, std::vector<Input> inputs, auto f,
                       std::vector<std::string> ops = {}) {
    rows.push_back({.name = name, .inputs = std::move(inputs), .f = f, .f32_tolerance = 2e-5});
    ops.push_back(name.substr(0, name.find(' ')));
    rows.back().tags = ops;
    // Products in f32 come from oneDNN.
    rows.back().same_for_any_thread_count = std::count(ops.begin(), ops.end(), "linear") == 0;
  };
  using namespace losses;

  add("comp_sum", {z, soft},
      [](const Tensors& in) { return comp_sum(in[0], in[1], {.tau = 1.3, .scale = 2}); },
      {"cross_entropy"});
  add("generalized_cross_entropy", {z, y},
      [](const Tensors& in) { return generalized_cross_entropy(in[0], in[1]); }, {"cross_entropy"});
  add("smooth_adversarial", {z, other, y},
      [](const Tensors& in) { return smooth_adversarial(in[0], in[1], in[2]); }, {"sub"});
  add("softmax_focal", {z, soft},
      [](const Tensors& in) { return softmax_focal(in[0], in[1], {.gamma = 1.5}); },
      {"cross_entropy"});
  add("sigmoid_focal", {z, soft}, [](const Tensors& in) { return sigmoid_focal(in[0], in[1]); });
  add("generalized_focal", {Input{{6}, 0.1, 2}, Input::constant({6}, 0.1, 0.9)},
      [](const Tensors& in) { return generalized_focal(in[0], in[1]); }, {"dataset_equity"});
  add("z_loss", {z, soft}, [](const Tensors& in) { return z_loss(in[0], in[1]); });
  add("ldr", {z, y}, [](const Tensors& in) { return ldr(in[0], in[1]); });
  add("ldr L1", {z, y}, [](const Tensors& in) {
    return ldr(in[0], in[1], {.lambda = 0.5, .normalize = LdrNormalize::L1});
  });
  add("aldr_loss", {z, y, Input::constant({6}, 0.5, 1)},
      [](const Tensors& in) { return aldr_loss(in[0], in[1], in[2]); },
      {"aldr", "sub", "reshape", "maximum", "div"});
  for (AnyMetric metric :
       {AnyMetric::Accuracy, AnyMetric::FBeta, AnyMetric::GMean, AnyMetric::BalancedAccuracy})
    add("any_loss " + std::to_string(static_cast<int>(metric)), {Input{{6, 4}, 0.1, 0.9}, y},
        [=](const Tensors& in) {
          return any_loss_logits(in[0], in[1], {.metric = metric, .amplification = 5});
        });
  add("decoupled_softmax", {z, y},
      [](const Tensors& in) { return decoupled_softmax(in[0], in[1], {.temperature = 0.7}); });
  add("soft_top_k_loss", {z, y},
      [](const Tensors& in) { return soft_top_k_loss(in[0], in[1], {.k = 2}); }, {"soft_top_k"});
  add("distillation", {z, constant}, [](const Tensors& in) { return distillation(in[0], in[1]); });
  add("binary_kl_norm", {z, constant},
      [](const Tensors& in) { return binary_kl_norm(in[0], in[1]); });
  add("dual_head_distillation", {z, other, constant, y},
      [](const Tensors& in) { return dual_head_distillation(in[0], in[1], in[2], in[3]); },
      {"cross_entropy", "binary_kl_norm"});
  const Input data{{3}, -1, 1}, noise{{5}, -1, 1};
  const Input q_data = Input::constant({3}, -2, -1), q_noise = Input::constant({5}, -2, -1);
  add("nce", {data, noise, q_data, q_noise},
      [](const Tensors& in) { return nce(in[0], in[1], in[2], in[3]); });
  add("compositional_nll", {data, noise, q_noise},
      [](const Tensors& in) { return compositional_nll(in[0], in[1], in[2]); });
  add("depict", {z, soft, Input{{6, 2, 3}}, Input{{6, 2, 3}}},
      [](const Tensors& in) {
        return depict(in[0], in[1], {{in[2], in[3]}}, {.reconstruction = 0.5});
      },
      {"cross_entropy"});
  add("noprop_local", {z, Input{{4, 4}}, y},
      [](const Tensors& in) { return noprop_local(in[0], in[1], in[2]); }, {"noprop"});

  const Input features{{6, 3}, 0.2, 2}, weights{{4, 3}, -2, 2};
  add("normalized_softmax", {features, weights, y},
      [](const Tensors& in) { return normalized_softmax(class_cosines(in[0], in[1]), in[2]); },
      {"class_cosines", "cross_entropy", "linear"});
  add("cosface", {cosines, y},
      [](const Tensors& in) { return cosface(in[0], in[1], {.scale = 8}); });
  for (bool monotone : {false, true})
    add(std::string("arcface") + (monotone ? "" : " literal"), {cosines, y},
        [=](const Tensors& in) {
          return arcface(in[0], in[1], {.scale = 8, .monotone = monotone});
        });
  add("elastic_face", {cosines, y, Input::constant({6}, 0.4, 0.6)},
      [](const Tensors& in) { return elastic_face(in[0], in[1], {.scale = 8}, in[2]); });
  // Constants of the gradient that finite differences would see move are held still: the gates by a
  // slope of 0, EnsLoss's derivatives because no margin passes another.
  add("sface", {cosines, y},
      [](const Tensors& in) { return sface(in[0], in[1], {.scale = 8, .slope = 0}); });
  add("ens_loss", {Input{{6}, -0.9, 0.9}, Input::labels({0, 1, 1, 0, 1, -1})},
      [](const Tensors& in) { return ens_loss(in[0], in[1]); });
  add("large_margin_softmax", {features, weights, y},
      [](const Tensors& in) {
        return large_margin_softmax(in[0], in[1], in[2], {.margin = 3, .lambda = 1});
      },
      {"linear"});
  add("unpg", {cosines, Input{{5}, -0.9, 0.9}, y},
      [](const Tensors& in) { return unpg(in[0], in[1], in[2], 4); });
  add("symface", {features, Input{{6, 3}, -2, 2}, Input::constant({6}, 0, 1)},
      [](const Tensors& in) { return symface(in[0], in[1], in[2]); });

  // Every loss by name, through its anchor where it has one: finite differences see that move.
  for (const std::string& name : loss_names()) {
    LossConfig config{.rho = 0.7, .anchor_grad = true};
    for (const LossOption& option : loss_options(name)) {
      if (option.name == "amplification") config.options["amplification"] = 5;  // 73 is a step
      if (option.name == "k") config.options["k"] = 2;
      if (option.name == "scale" && option.value > 8) config.options["scale"] = 8;
      if (option.name == "slope") config.options["slope"] = 0;      // the gates are constants
      if (option.name == "lambda0") config.options["alpha"] = 1e9;  // so is ALDR's lambda
    }
    const auto f = [loss = make_loss(name, config), name, config](const Tensors& in) {
      const auto state = loss_state(name, in[0], config.options);
      const Tensor ids = in.size() > 2 ? in[2] : labels_of({7, 7, 2, 7, 2, 5}).to(in[0].device());
      return loss(classifier_output(name, in[0], config.options), in[1], {ids, state.get()});
    };
    std::vector<std::string> ops = {"cross_entropy", "group_kl", "sigmoid_focal",
                                    "z_loss",        "ldr",      "decoupled_softmax",
                                    "soft_top_k",    "any_loss"};
    if (uses_features(name) || loss_head(name).cosine_scale > 0)
      ops.insert(ops.end(), {"linear", "class_cosines", "normalized_softmax", "cosface", "arcface",
                             "sface", "unpg", "large_margin_softmax"});
    ops.insert(ops.end(),
               {"aldr", "elastic_face", "ens_loss", "nce", "binary_kl_norm", "sample_table"});
    // EnsLoss's derivatives are divided by margins above 1.
    const Input x = name.find("ens-loss") == std::string::npos ? z : Input{{6, 4}, -0.9, 0.9};
    add("by name " + name, uses_groups(name) ? std::vector{x, y, groups} : std::vector{x, y}, f,
        ops);
  }
  return rows;
}

}  // namespace ditto::testing
