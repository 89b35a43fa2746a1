#include "losses/multi_view.h"

#include <cmath>

#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"

namespace ditto::losses {
namespace {

using Over = kernels::LogSumExp::Over;

int64_t samples_of(const char* op, const Tensor& z, int64_t views) {
  check_rank(op, z, 2);
  if (views < 2 || z.dim(0) % views != 0)
    fail(std::string("[") + op + "] rows", z.dim(0), "are no", views, "views of the same samples");
  return z.dim(0) / views;
}

// View of each row.
Tensor view_numbers(int64_t samples, int64_t views, Device device) {
  std::vector<int64_t> ids(static_cast<size_t>(samples * views));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i) / samples;
  return Tensor::from(ids, {samples * views}).to(device);
}

// log sum exp over the views of (views * samples) logarithms -> (samples).
Tensor over_views(const Tensor& rows, int64_t views, int64_t samples) {
  const Tensor x = reshape(rows, {views, samples});
  const Tensor top = max(x.detach(), 0, true).values;
  return log(sum(exp(x - top), 0)) + reshape(top, {samples});
}

PairLoss over_samples(const Tensor& rows, const PairOptions& options) {
  const Tensor loss = reduce(rows, options.reduction);
  return {options.scale == 1 ? loss : loss * options.scale,
          Tensor::scalar(static_cast<double>(rows.numel()), rows.dtype(), rows.device())};
}

}  // namespace

PairLoss mv_info_nce(const Tensor& z, int64_t views, const MvInfoNceOptions& options) {
  const char* op = "mv_info_nce";
  check_temperature(op, options.temperature);
  const int64_t samples = samples_of(op, z, views);
  if (samples == 0) return {sum(z) * 0.0, Tensor::scalar(0, z.dtype(), z.device())};
  PairTensors tensors{.a = embeddings(op, z, options.common),
                      .query_ids = view_ids(samples, views, z.device())};
  const Tensor positives =
      pair_loss_rows(op, kernels::LogSumExp{options.temperature, Over::Positives}, tensors).loss;
  if (options.other_views_only) tensors.query_exclude = view_numbers(samples, views, z.device());
  const Tensor all =
      pair_loss_rows(op, kernels::LogSumExp{options.temperature, Over::All}, tensors).loss;
  return over_samples(over_views(all, views, samples) - over_views(positives, views, samples),
                      options.common);
}

PairLoss mv_dhel(const Tensor& z, int64_t views, const MvDhelOptions& options) {
  const char* op = "mv_dhel";
  check_temperature(op, options.temperature);
  const int64_t samples = samples_of(op, z, views);
  check(samples >= 2, "[mv_dhel] needs at least two samples, got", samples);
  PairTensors tensors{.a = embeddings(op, z, options.common),
                      .query_ids = view_ids(samples, views, z.device())};
  const kernels::LogSumExp math{options.temperature, Over::Positives};
  const Tensor positives = over_views(pair_loss_rows(op, math, tensors).loss, views, samples);
  // The other samples of the same view.
  tensors.query_ids = view_numbers(samples, views, z.device());
  const Tensor others = sum(reshape(pair_loss_rows(op, math, tensors).loss, {views, samples}), 0);
  return over_samples(others - positives + (options.ordered_pairs ? 0.0 : std::log(2.0)),
                      options.common);
}

}  // namespace ditto::losses
