#include "losses/mw.h"

#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"

namespace ditto::losses {

Tensor mw_loss(const Tensor& positives, const Tensor& negatives, const MwOptions& options) {
  const char* op = "mw_loss";
  check_temperature(op, options.temperature);
  check_rank(op, positives, 1);
  check_rank(op, negatives, 1);
  check_match(op, positives, negatives);
  const int64_t p = positives.dim(0), n = negatives.dim(0);
  if (p == 0 || n == 0) return (sum(positives) + sum(negatives)) * 0.0;
  // s+ - s- is the product of (s+, 1) and (1, -s-).
  const auto column = [](const Tensor& x) { return reshape(x, {x.dim(0), 1}); };
  const auto ones = [&](int64_t rows) {
    return Tensor::ones({rows, 1}, positives.dtype(), positives.device());
  };
  const auto ids = [&](int64_t rows) {
    return Tensor::zeros({rows}, Dtype::I64, positives.device());
  };
  const PairRows rows = pair_loss_rows(op, kernels::LogisticRanking{options.temperature},
                                       {.a = concat({column(positives), ones(p)}, 1),
                                        .b = concat({ones(n), column(-negatives)}, 1),
                                        .query_ids = ids(p),
                                        .key_ids = ids(n)});
  const double terms = static_cast<double>(p);
  return sum(rows.loss) /
         (options.reduction == MwReduction::Paper ? terms : terms * static_cast<double>(n));
}

Tensor mw_loss_in_batch(const Tensor& scores, const MwOptions& options) {
  const char* op = "mw_loss";
  check_temperature(op, options.temperature);
  check_rank(op, scores, 2);
  const int64_t rows = scores.dim(0), columns = scores.dim(1);
  check(columns >= rows, "[mw_loss] in-batch scores need a positive in every row, got",
        scores.shape());
  std::vector<int64_t> diagonal, others, query;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      (i == j ? diagonal : others).push_back(i * columns + j);
      if (i != j) query.push_back(i);
    }
  const Tensor flat = reshape(scores, {rows * columns});
  const auto pick = [&](const Tensor& x, const std::vector<int64_t>& index) {
    return index_select(
        x, Tensor::from(index, {static_cast<int64_t>(index.size())}).to(scores.device()));
  };
  const Tensor positives = pick(flat, diagonal), negatives = pick(flat, others);
  if (!options.per_query) return mw_loss(positives, negatives, options);
  if (others.empty()) return sum(scores) * 0.0;
  const Tensor total =
      sum(softplus((negatives - pick(positives, query)) * (1 / options.temperature)));
  return total / static_cast<double>(
                     options.reduction == MwReduction::Paper ? rows : int64_t(others.size()));
}

}  // namespace ditto::losses
