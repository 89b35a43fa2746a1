#include "losses/robust_contrastive.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "autograd/ops/checks.h"

namespace ditto::losses {

using Math = kernels::RobustContrastive;

RobustContrastiveLoss::RobustContrastiveLoss(int64_t samples,
                                             const RobustContrastiveOptions& options)
    : options_(options),
      temperature_(
          buffer("temperature", Tensor::full({samples}, options.initial_temperature, Dtype::F32))),
      momentum_(buffer("momentum", Tensor::zeros({samples}))),
      average_(buffer("log_average", Tensor::full({samples}, -INFINITY))) {
  check(samples > 0, "[robust_contrastive] needs at least one sample, got", samples);
  check(options.gamma > 0 && options.gamma <= 1,
        "[robust_contrastive] gamma must be in (0, 1]:", options.gamma);
  check(options.rho >= 0 && options.temperature_rate >= 0,
        "[robust_contrastive] rho and the rate must not be negative:", options.rho,
        options.temperature_rate);
  check(0 < options.min_temperature && options.min_temperature <= options.initial_temperature &&
            options.initial_temperature <= options.max_temperature,
        "[robust_contrastive] temperatures must be positive and in order:", options.min_temperature,
        options.initial_temperature, options.max_temperature);
}

PairLoss RobustContrastiveLoss::operator()(const Tensor& z, const Tensor& samples) {
  const char* op = "robust_contrastive";
  const Tensor x = embeddings(op, z, options_.common);
  const int64_t n = x.dim(0), known = temperature_.numel();
  check_index(op, samples, n, x);
  const std::vector<int64_t> ids = samples.detach().to_vector<int64_t>();
  const auto tau = temperature_.to_vector<double>(), log_u = average_.to_vector<double>();
  std::vector<double> inputs(static_cast<size_t>(2 * n));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t id = ids[size_t(i)];
    if (id < 0 || id >= known)
      fail("[robust_contrastive] sample id", id, "of row", i, "is not in [0,", known, ")");
    inputs[size_t(i)] = tau[size_t(id)];
    inputs[size_t(n + i)] = log_u[size_t(id)];
  }
  const Math math{.rho = options_.rho, .gamma = options_.gamma};
  const PairRows rows =
      pair_loss_rows(op, math,
                     {.a = x,
                      .query_ids = samples,
                      .inputs = Tensor::from(inputs, {2, n}, x.dtype()).to(x.device())});
  if (training()) update(ids, rows.stats.to_vector<double>(), rows.valid.to_vector<double>());
  return reduce_anchors(op, rows, options_.common);
}

// A sample's rows (its views) count alike.
void RobustContrastiveLoss::update(const std::vector<int64_t>& ids,
                                   const std::vector<double>& stats,
                                   const std::vector<double>& valid) {
  struct Sums {
    double slope = 0, average = 0, rows = 0;
  };
  std::map<int64_t, Sums> visited;
  const size_t n = ids.size();
  for (size_t i = 0; i < n; ++i) {
    if (valid[i] == 0) continue;
    Sums& sums = visited[ids[i]];
    sums.slope += stats[Math::kInputGradient * n + i];
    sums.average += stats[Math::kLogAverage * n + i];
    ++sums.rows;
  }
  auto tau = temperature_.to_vector<double>(), speed = momentum_.to_vector<double>(),
       log_u = average_.to_vector<double>();
  for (const auto& [id, sums] : visited) {
    const size_t at = static_cast<size_t>(id);
    const double m = options_.temperature_momentum;
    log_u[at] = sums.average / sums.rows;
    speed[at] = m * speed[at] + (1 - m) * sums.slope / sums.rows;
    tau[at] = std::clamp(tau[at] - options_.temperature_rate * speed[at], options_.min_temperature,
                         options_.max_temperature);
  }
  const auto store = [](Tensor& to, const std::vector<double>& values) {
    to.copy_(Tensor::from(values, to.shape()));
  };
  store(temperature_, tau);
  store(momentum_, speed);
  store(average_, log_u);
}

}  // namespace ditto::losses
