// Robust global contrastive loss (iSogCLR): every sample has a temperature of its own, learned by
// distributionally robust optimisation.
//
//   L_i = tau_i log mean_N exp(h_ij / tau_i) + tau_i rho,  h_ij = s_ij - s_ii+
//
// The mean over all negatives of the data set is tracked per sample by a moving average u_i, so
// small batches do; the gradient divides by u_i. Source: paper 001, entry 22, and the published
// library's settings (rho 0.3, u with weight 0.9, tau in [0.05, 0.7], its rate 0.01 and momentum
// 0.9). State lies in buffers by sample id and is saved with a checkpoint.
#pragma once

#include "losses/anchors.h"
#include "nn/module.h"

namespace ditto::losses {

struct RobustContrastiveOptions {
  double rho = 0.3;
  double gamma = 0.9;  // weight of the batch in u_i, in (0, 1]; a sample's first visit sets u_i
  double initial_temperature = 0.7;
  double min_temperature = 0.05, max_temperature = 0.7;
  double temperature_rate = 0.01;     // of the descent of tau_i; 0 keeps it
  double temperature_momentum = 0.9;  // v = m v + (1 - m) dL/dtau
  PairOptions common = {};
};

class RobustContrastiveLoss : public nn::Module {
 public:
  // For samples 0 .. samples - 1 of a data set.
  explicit RobustContrastiveLoss(int64_t samples, const RobustContrastiveOptions& options = {});

  // z (n, d): views of samples (n), i64 ids on z's device. While training(), u and tau of these
  // samples then move. Waits for a device.
  PairLoss operator()(const Tensor& z, const Tensor& samples);

  // (samples)
  const Tensor& temperatures() const { return temperature_; }

 private:
  void update(const std::vector<int64_t>& ids, const std::vector<double>& stats,
              const std::vector<double>& valid);

  RobustContrastiveOptions options_;
  Tensor& temperature_;
  Tensor& momentum_;
  Tensor& average_;  // log u_i; -infinity: not visited yet
};

}  // namespace ditto::losses
