// Unnormalised models: noise-contrastive estimation and the compositional negative log-likelihood.
//
// f is an unnormalised log-density, q the density of a noise distribution that samples were drawn
// from. Source: paper 001, entry 5; the formulas are the standard ones (not checked against the
// paper's text).
#pragma once

#include "core/tensor.h"

namespace ditto::losses {

struct NceOptions {
  double nu = 0;  // noise samples per datum; 0: as many as were given
};
// mean_data softplus(-(f - log q - log nu)) + nu mean_noise softplus(f - log q - log nu). f_data,
// log_q_data (n), f_noise, log_q_noise (m); log q are constants. A scalar.
Tensor nce(const Tensor& f_data, const Tensor& f_noise, const Tensor& log_q_data,
           const Tensor& log_q_noise, const NceOptions& options = {});

struct ClassNceOptions {
  int64_t noise = 10;  // classes drawn for each row
  uint64_t seed = 0;   // draws depend on the seed and the step
  uint64_t step = 0;
};
// nce() of a classifier: the datum of a row is its own class, the noise are classes drawn by their
// shares of the training set. At the optimum the logits are log-probabilities without a softmax
// having been computed (Mnih and Teh 2012). logits (n, K), labels i64 (n), shares (K) above 0. A
// scalar. The shares are read on the host.
Tensor nce_classes(const Tensor& logits, const Tensor& labels, const Tensor& shares,
                   const ClassNceOptions& options = {});

// -mean_data f + log mean_noise(e^f / q): a log-sum-exp, so large f do not overflow. A scalar.
Tensor compositional_nll(const Tensor& f_data, const Tensor& f_noise, const Tensor& log_q_noise);

// The same with the inner mean tracked over the steps, u <- (1 - g) u + g mean(e^f / q), so that
// small batches do not bias the gradient: noise samples are weighed by (e^f / q) / (m u).
class TrackedCompositionalNll {
 public:
  explicit TrackedCompositionalNll(double momentum = 0.9);  // 1 - g; the first step sets u
  // The value is -mean f + log u with the new u. A scalar.
  Tensor operator()(const Tensor& f_data, const Tensor& f_noise, const Tensor& log_q_noise);
  double log_u() const { return log_u_; }  // to save; NaN before the first step
  void set_log_u(double log_u) { log_u_ = log_u; }

 private:
  double momentum_, log_u_;
};

}  // namespace ditto::losses
