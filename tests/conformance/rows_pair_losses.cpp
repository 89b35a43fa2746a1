// Losses over pairs of embeddings.
#include <cmath>

#include "autograd/ops.h"
#include "losses/amcl.h"
#include "losses/ce_supcon.h"
#include "losses/h_scl.h"
#include "losses/hydra.h"
#include "losses/icnn.h"
#include "losses/info_nce.h"
#include "losses/lacln.h"
#include "losses/multi_similarity.h"
#include "losses/multi_view.h"
#include "losses/mw.h"
#include "losses/supcon.h"
#include "losses/tcl.h"
#include "losses/triplet.h"
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
  // 9 samples in two views and one in one; their classes.
  const Input samples = Input::labels({0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  const Input classes = Input::labels({0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0});
  const Input keys{{23, 5}, -1, 1}, logits{{19, 4}, -2, 2};
  add("nt_xent", {z, samples},
      [](const Tensors& in) { return losses::nt_xent(in[0], in[1]).loss; });
  add("info_nce", {z, keys}, [=](const Tensors& in) {
    return losses::info_nce(in[0], in[1], {.common = rows_only}).loss;
  });
  add("hard_contrastive", {z, keys}, [](const Tensors& in) {
    return losses::hard_contrastive(in[0], in[1], {.temperature = 0.4, .fraction = 0.3}).loss;
  });
  add("simple_contrastive", {z, keys}, [=](const Tensors& in) {
    return losses::simple_contrastive(in[0], in[1], {.lambda = 0.3, .common = rows_only}).loss;
  });
  add("tcl", {z, labels}, [=](const Tensors& in) {
    return losses::tcl(in[0], in[1], {.temperature = 0.4, .k1 = 20, .k2 = 3, .common = rows_only})
        .loss;
  });
  // With constant weights finite differences, which move them, would not agree.
  add("lacln through_weights", {z, labels}, [=](const Tensors& in) {
    return losses::lacln(in[0], in[1], {.through_weights = true, .common = rows_only}).loss;
  });
  add("clce", {logits, z, labels}, [](const Tensors& in) {
    return losses::clce(in[0], in[1], in[2], {.lacln = {.through_weights = true}}).loss;
  });
  rows.back().tags = {"lacln", "cross_entropy", "l2_normalize"};
  add("ce_supcon", {logits, z, labels},
      [](const Tensors& in) { return losses::ce_supcon(in[0], in[1], in[2]).loss; });
  rows.back().tags = {"supcon", "cross_entropy", "l2_normalize"};
  add("h_scl", {z, samples, classes}, [=](const Tensors& in) {
    return losses::h_scl(in[0], in[1], in[2], {.beta = 0, .common = rows_only}).loss;
  });
  add("multi_similarity", {z, labels}, [=](const Tensors& in) {
    return losses::multi_similarity(in[0], in[1], {.beta = 10, .common = rows_only}).loss;
  });
  add("robust_contrastive", {z, {{19}, 0.3, 0.6}, labels}, [](const Tensors& in) {
    // Without a moving average: its weights are constants, which finite differences would move.
    const Tensor unseen = Tensor::full({1, 19}, -INFINITY, in[0].dtype(), in[0].device());
    return ditto::pair_loss_rows("robust_contrastive", kernels::RobustContrastive{},
                                 {.a = l2_normalize(in[0]),
                                  .query_ids = in[2],
                                  .inputs = concat({reshape(in[1], {1, 19}), unseen}, 0)})
        .loss;
  });
  rows.back().tags = {"robust_contrastive", "l2_normalize", "concat", "reshape"};
  for (bool squared : {false, true}) {
    const std::string name = squared ? " squared" : "";
    add("triplet_hard" + name, {z, labels}, [=](const Tensors& in) {
      return losses::triplet_hard(in[0], in[1],
                                  {.margin = 0.5, .squared = squared, .common = rows_only})
          .loss;
    });
    add("triplet_all" + name, {z, labels}, [=](const Tensors& in) {
      return losses::triplet_all(in[0], in[1], {.margin = 0.5, .squared = squared}).loss;
    });
  }
  add("proto_triplet", {z, labels, {{7, 5}, -1, 1}, Input::labels({0, 1, 2, 2, 1, 0, 5})},
      [=](const Tensors& in) {
        return losses::proto_triplet(in[0], in[1], in[2], in[3], {.margin = 2}).loss;
      });
  add("icnn", {z, labels}, [](const Tensors& in) { return losses::icnn(in[0], in[1]).loss; });
  const Input views{{18, 5}, -1, 1};
  for (bool flag : {false, true}) {
    add("mv_info_nce " + std::to_string(flag), {views}, [=](const Tensors& in) {
      return losses::mv_info_nce(in[0], 3, {.other_views_only = flag, .common = rows_only}).loss;
    });
  }
  add("mv_dhel", {views},
      [=](const Tensors& in) { return losses::mv_dhel(in[0], 3, {.common = rows_only}).loss; });
  const Input tau{{18, 18}, 0.4, 0.8},
      ids = Input::labels({0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8});
  add("amcl", {views, tau, ids},
      [](const Tensors& in) { return losses::amcl({in[0]}, {in[1]}, in[2]); });
  add("mw_loss", {{{19}, -1, 1}, {{23}, -1, 1}},
      [](const Tensors& in) { return losses::mw_loss(in[0], in[1], {.temperature = 0.5}); });
  add("mw_loss in_batch", {{{5, 7}, -1, 1}}, [](const Tensors& in) {
    return losses::mw_loss_in_batch(in[0], {.temperature = 0.5, .per_query = true});
  });
  add("hydra", {z, labels, {{3, 5}, 0.2, 0.9}}, [](const Tensors& in) {
    return losses::hydra(in[0], in[1], in[2], {{0, 1}, {2, 2}, {1, 3}}, {.temperature = 0.4}).loss;
  });
  return rows;
}

}  // namespace ditto::testing
