// Losses over pairs of embeddings.
#include "autograd/ops.h"
#include "losses/supcon.h"
#include "tests/conformance/row.h"

namespace ditto::testing {

std::vector<Row> pair_loss_rows() {
  // 19 rows: more than one vector of lanes; label 3 stands alone.
  const Input z{{19, 5}, -1, 1};
  const Input labels = Input::labels({0, 1, 0, 2, 1, 0, 2, 2, 3, 0, 1, 1, 0, 2, 0, 1, 2, 0, 1});
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, std::vector<Input> inputs, auto f) {
    rows.push_back({.name = name, .inputs = std::move(inputs), .f = f, .f32_tolerance = 2e-5});
    rows.back().same_for_any_thread_count = false;  // products in f32 come from oneDNN
  };
  const losses::PairOptions rows_only{.reduction = losses::Reduction::None};
  add("l2_normalize", {z}, [](const Tensors& in) { return l2_normalize(in[0]); });
  for (auto form : {losses::SupConForm::Out, losses::SupConForm::In, losses::SupConForm::InSum})
    add("supcon form " + std::to_string(static_cast<int>(form)), {z, labels},
        [=](const Tensors& in) {
          return losses::supcon(in[0], in[1],
                                {.temperature = 0.4, .form = form, .common = rows_only})
              .loss;
        });
  add("supcon mean", {z, labels},
      [](const Tensors& in) { return losses::supcon(in[0], in[1], {.temperature = 0.4}).loss; });
  return rows;
}

}  // namespace ditto::testing
