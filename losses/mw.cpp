#include "losses/mw.h"

#include <algorithm>

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "autograd/recompute.h"

namespace ditto::losses {
namespace {

// sum_i sum_j log(1 + exp(-(s+_i - s-_j) / tau)), for P, N >= 1.
Tensor ranking_sum(const Tensor& positives, const Tensor& negatives, double temperature) {
  // s+ - s- is the product of (s+, 1) and (1, -s-).
  const auto column = [](const Tensor& x) { return reshape(x, {x.dim(0), 1}); };
  const auto ones = [&](int64_t rows) {
    return Tensor::ones({rows, 1}, positives.dtype(), positives.device());
  };
  const auto ids = [&](int64_t rows) {
    return Tensor::zeros({rows}, Dtype::I64, positives.device());
  };
  const int64_t p = positives.dim(0), n = negatives.dim(0);
  const PairRows rows = pair_loss_rows("mw_loss", kernels::LogisticRanking{temperature},
                                       {.a = concat({column(positives), ones(p)}, 1),
                                        .b = concat({ones(n), column(-negatives)}, 1),
                                        .query_ids = ids(p),
                                        .key_ids = ids(n)});
  return sum(rows.loss);
}

// The sum of the terms of rows [first, first + rows of `scores`) of a (B, M) matrix whose (i, i)
// are `positives` (B).
Tensor rows_sum(const Tensor& positives, const Tensor& scores, int64_t first,
                const MwOptions& options) {
  const int64_t rows = scores.dim(0), columns = scores.dim(1);
  std::vector<int64_t> others, query;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      if (j != first + i) {
        others.push_back(i * columns + j);
        query.push_back(first + i);
      }
  if (others.empty()) return sum(scores) * 0.0;
  const auto pick = [&](const Tensor& x, const std::vector<int64_t>& index) {
    return index_select(
        x, Tensor::from(index, {static_cast<int64_t>(index.size())}).to(scores.device()));
  };
  const Tensor negatives = pick(reshape(scores, {rows * columns}), others);
  if (!options.per_query) return ranking_sum(positives, negatives, options.temperature);
  return sum(softplus((negatives - pick(positives, query)) * (1 / options.temperature)));
}

// What the sum over a (rows, columns) matrix of scores is divided by.
double terms(int64_t rows, int64_t columns, const MwOptions& options) {
  const double others = static_cast<double>(rows) * static_cast<double>(columns - 1);
  if (options.reduction == MwReduction::Paper) return static_cast<double>(rows);
  return options.per_query ? others : others * static_cast<double>(rows);
}

void check_in_batch(int64_t rows, int64_t columns) {
  check(columns >= rows, "[mw_loss] in-batch scores need a positive in every row, got",
        Shape{rows, columns});
}

}  // namespace

Tensor mw_loss(const Tensor& positives, const Tensor& negatives, const MwOptions& options) {
  const char* op = "mw_loss";
  check_temperature(op, options.temperature);
  check_rank(op, positives, 1);
  check_rank(op, negatives, 1);
  check_match(op, positives, negatives);
  const double p = static_cast<double>(positives.dim(0)), n = static_cast<double>(negatives.dim(0));
  if (p == 0 || n == 0) return (sum(positives) + sum(negatives)) * 0.0;
  return ranking_sum(positives, negatives, options.temperature) /
         (options.reduction == MwReduction::Paper ? p : p * n);
}

Tensor mw_loss_in_batch(const Tensor& scores, const MwOptions& options) {
  const char* op = "mw_loss";
  check_temperature(op, options.temperature);
  check_rank(op, scores, 2);
  const int64_t rows = scores.dim(0), columns = scores.dim(1);
  check_in_batch(rows, columns);
  if (rows == 0 || columns == 1) return sum(scores) * 0.0;
  std::vector<int64_t> diagonal;
  for (int64_t i = 0; i < rows; ++i) diagonal.push_back(i * columns + i);
  const Tensor positives = index_select(reshape(scores, {rows * columns}),
                                        Tensor::from(diagonal, {rows}).to(scores.device()));
  return rows_sum(positives, scores, 0, options) / terms(rows, columns, options);
}

Tensor mw_loss_of_pairs(const Tensor& queries, const Tensor& keys, const MwOptions& options) {
  const char* op = "mw_loss";
  check_temperature(op, options.temperature);
  check_rank(op, queries, 2);
  check_rank(op, keys, 2);
  check_match(op, queries, keys);
  const int64_t rows = queries.dim(0), columns = keys.dim(0);
  check(queries.dim(1) == keys.dim(1), "[mw_loss] queries", queries.shape(), "and keys",
        keys.shape(), "do not fit");
  check_in_batch(rows, columns);
  if (rows == 0 || columns == 1) return (sum(queries) + sum(keys)) * 0.0;
  // The lists of indices are the largest part: two of i64 for every score.
  const int64_t most = std::max<int64_t>(1, kernels::pair_tile_bytes() / (16 * columns));
  Tensor total;
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t end = std::min(first + most, rows);
    const auto block = [=](const Tensors& in) {
      const Tensor positives = sum(in[0] * slice(in[1], 0, 0, rows), 1);
      const Tensor scores = matmul(slice(in[0], 0, first, end), transpose(in[1], 0, 1));
      return rows_sum(widened(positives), widened(scores), first, options);
    };
    const Tensor part =
        end - first == rows ? block({queries, keys}) : recompute(block, {queries, keys});
    total = total.defined() ? total + part : part;
  }
  return total / terms(rows, columns, options);
}

}  // namespace ditto::losses
