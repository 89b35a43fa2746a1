#include "losses/anchors.h"

#include <cmath>

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/l2_normalize.h"
#include "autograd/ops/reduce.h"

namespace ditto::losses {

PairLoss reduce_anchors(const char* op, const PairRows& rows, const PairOptions& options) {
  const Tensor valid = sum(rows.valid);
  const int64_t all = rows.loss.numel();
  if (options.no_positive == NoPositive::Error) {
    const auto missing = all - static_cast<int64_t>(valid.item());
    if (missing > 0)
      fail(std::string("[") + op + "] anchors without a positive (or negative) pair:", missing,
           "of", all);
  }
  const bool by_valid =
      options.reduction == Reduction::Mean && options.no_positive == NoPositive::MeanValid;
  // Division by the tensor: asking for the count would wait for the device.
  const Tensor loss = by_valid ? sum(rows.loss) / maximum(valid, 1.0)
                               : reduce(rows.loss, options.reduction, static_cast<double>(all));
  return {options.scale == 1 ? loss : loss * options.scale, valid};
}

Tensor embeddings(const char* op, const Tensor& x, const PairOptions& options) {
  check_rank(op, x, 2);
  return options.normalize ? l2_normalize(x) : x;
}

Tensor pair_ids(const char* op, const Tensor& labels) {
  check_defined(op, labels);
  return labels.rank() == 2 ? label_bits(op, labels) : labels;
}

PairLoss pair_loss(const char* op, const kernels::PairMath& math, const Tensor& z,
                   const Tensor& labels, const PairOptions& options, const Tensor& exclude) {
  const PairTensors tensors{
      .a = embeddings(op, z, options), .query_ids = pair_ids(op, labels), .query_exclude = exclude};
  return reduce_anchors(op, pair_loss_rows(op, math, tensors), options);
}

Tensor view_ids(int64_t samples, int64_t views, Device device) {
  std::vector<int64_t> ids(static_cast<size_t>(samples * views));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i) % samples;
  return Tensor::from(ids, {samples * views}).to(device);
}

void check_temperature(const char* op, double temperature) {
  // 1 / temperature must be a number in f32, too, with room for what it multiplies.
  if (!(temperature >= 1e-6 && temperature <= 1e6))
    fail(std::string("[") + op + "] temperature must be positive, from 1e-6 to 1e6:", temperature);
}

}  // namespace ditto::losses
