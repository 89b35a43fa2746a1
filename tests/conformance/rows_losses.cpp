#include "autograd/ops.h"
#include "losses/cross_entropy.h"
#include "losses/loss_transform.h"
#include "tests/conformance/row.h"

namespace ditto::testing {

std::vector<Row> loss_rows() {
  const Input z{{6, 4}, -2, 2};
  const Input y = Input::labels({0, 1, 3, 2, 0, 3}), groups = Input::labels({7, 7, 2, 7, 2, 5});
  const Input soft = Input::constant({6, 4}, 0.05, 0.4);
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, std::vector<Input> inputs, auto f) {
    rows.push_back({.name = name, .inputs = std::move(inputs), .f = f, .f32_tolerance = 1e-5});
    if (name.rfind("loss_transform", 0) == 0)
      rows.back().tags = {"cross_entropy", "group_kl", "group_mean"};
  };
  add("softmax", {z}, [](const Tensors& in) { return softmax(in[0]); });
  add("log_softmax", {z}, [](const Tensors& in) { return log_softmax(in[0]); });
  const auto power = [](double a, double cap) {
    return kernels::NllFunction{kernels::NllFunction::Kind::Power, a, cap};
  };
  for (const auto& [what, function] : std::vector<std::pair<std::string, kernels::NllFunction>>{
           {"power", power(-0.7, INFINITY)},
           {"growing power", power(0.5, INFINITY)},
           {"capped power", power(-0.7, 1.5)},
           {"focal", {kernels::NllFunction::Kind::Focal, 2}}}) {
    for (const Input& target : {y, soft})
      add("cross_entropy " + what + (target.indices.empty() ? " soft" : " hard"), {z, target},
          [f = function](const Tensors& in) {
            return cross_entropy_rows(in[0], in[1], {.function = f});
          });
    add("cross_entropy " + what + " smoothed", {z, y}, [f = function](const Tensors& in) {
      return cross_entropy_rows(in[0], in[1],
                                {.label_smoothing = 0.1, .ignore_index = 2, .function = f});
    });
  }
  add("cross_entropy hard", {z, y},
      [](const Tensors& in) { return losses::cross_entropy(in[0], in[1]); });
  add("cross_entropy soft", {z, soft},
      [](const Tensors& in) { return losses::cross_entropy(in[0], in[1]); });
  add("cross_entropy smoothed", {z, y}, [](const Tensors& in) {
    return losses::cross_entropy(
        in[0], in[1],
        {.label_smoothing = 0.1, .ignore_index = 2, .reduction = losses::Reduction::None});
  });
  // The detached anchor is a constant: finite differences see it move, so only the literal form is
  // a row with groups.
  add("group_kl anchor_grad", {z, groups},
      [](const Tensors& in) { return group_kl(in[0], in[1], Tensor(), {.anchor_grad = true}); });
  add("group_kl anchor_grad overlap", {z, groups, soft},
      [](const Tensors& in) { return group_kl(in[0], in[1], in[2], {.anchor_grad = true}); });
  for (const char* mixing : {"d1", "d2", "d3", "d4"})
    add(std::string("loss_transform ") + mixing, {z, soft, groups}, [=](const Tensors& in) {
      return losses::loss_transform(
          in[0], in[1], in[2],
          {.rho = 0.7, .anchor_grad = true, .mixing = losses::group_mixing(mixing)});
    });
  return rows;
}

}  // namespace ditto::testing
