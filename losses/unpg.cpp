#include "losses/unpg.h"

#include <algorithm>

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/l2_normalize.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "autograd/ops/softmax.h"
#include "losses/targets.h"

namespace ditto::losses {

Tensor unpg_negatives(const Tensor& embeddings, const Tensor& labels, const UnpgOptions& o) {
  check(o.whisker >= 0, "[unpg] the whisker must not be negative:", o.whisker);
  check_rank("unpg", embeddings, 2);
  const int64_t n = embeddings.dim(0);
  check_index("unpg", labels, n, embeddings);
  const Tensor cosines = class_cosines(embeddings, embeddings);
  const auto label = labels.to_vector<int64_t>();
  const auto value = cosines.detach().to_vector<double>();
  std::vector<int64_t> pairs;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i + 1; j < n; ++j)
      if (label[static_cast<size_t>(i)] != label[static_cast<size_t>(j)])
        pairs.push_back(i * n + j);
  if (!pairs.empty()) {
    std::vector<double> sorted;
    for (int64_t pair : pairs) sorted.push_back(value[static_cast<size_t>(pair)]);
    std::sort(sorted.begin(), sorted.end());
    const auto count = static_cast<double>(sorted.size());
    const double low = sorted[static_cast<size_t>(0.25 * count)];
    const double high = sorted[static_cast<size_t>(0.75 * count)];
    const double reach = o.whisker * (high - low);
    std::erase_if(pairs, [&](int64_t pair) {
      const double c = value[static_cast<size_t>(pair)];
      return c < low - reach || c > high + reach;
    });
  }
  const auto kept = static_cast<int64_t>(pairs.size());
  const Tensor index = Tensor::from(pairs, {kept}).to(embeddings.device());
  return reshape(index_select(reshape(cosines, {n * n, 1}), index), {kept});
}

Tensor unpg(const Tensor& margin_logits, const Tensor& negatives, const Tensor& labels,
            double scale, int64_t ignore_index, Reduction reduction) {
  check(scale > 0, "[unpg] the scale must be positive:", scale);
  check_hard("unpg", margin_logits, labels);
  check_match("unpg", margin_logits, negatives);
  check_rank("unpg", negatives, 1);
  const int64_t n = margin_logits.dim(0), m = negatives.dim(0);
  Tensor logits = margin_logits;
  if (m > 0) {
    // All rows share the negatives: one logit, their log-sum-exp, stands for them.
    const Tensor shared = widened(negatives) * scale, top = max(shared.detach(), 0).values;
    const Tensor joint = log(sum(exp(shared - top))) + top;
    logits = concat({widened(logits), broadcast_to(reshape(joint, {1, 1}), {n, 1})}, 1);
  }
  return reduce(cross_entropy_rows(logits, labels, {.ignore_index = ignore_index}), reduction,
                static_cast<double>(counted_rows(labels, ignore_index)));
}

Tensor symface(const Tensor& left, const Tensor& right, const Tensor& frontness,
               const SymFaceOptions& o) {
  check(o.weight >= 0, "[symface] the weight must not be negative:", o.weight);
  check_rank("symface", left, 2);
  check_match("symface", left, right);
  check_match("symface", left, frontness);
  check(left.shape() == right.shape() && frontness.shape() == Shape{left.dim(0)},
        "[symface] needs left and right (n, d) and frontness (n), got", left.shape(), right.shape(),
        frontness.shape());
  const Tensor cosine = sum(l2_normalize(widened(left)) * l2_normalize(widened(right)), 1);
  const Tensor front = 1.0 - greater(Tensor::scalar(o.frontness, cosine.dtype(), cosine.device()),
                                     widened(frontness.detach()));
  return sum((1.0 - cosine) * front) / maximum(sum(front), 1.0) * o.weight;
}

}  // namespace ditto::losses
