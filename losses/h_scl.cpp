#include "losses/h_scl.h"

#include "autograd/ops/checks.h"

namespace ditto::losses {

PairLoss h_scl(const Tensor& z, const Tensor& samples, const Tensor& labels,
               const HSclOptions& options) {
  check_temperature("h_scl", options.temperature);
  check(options.beta >= 0, "[h_scl] beta must not be negative:", options.beta);
  check_rank("h_scl", z, 2);
  check_index("h_scl", samples, z.dim(0), z);
  check_index("h_scl", labels, z.dim(0), z);
  const kernels::HardNegative math{.temperature = options.temperature,
                                   .beta = options.beta,
                                   .factor = static_cast<double>(z.dim(0) - 2)};
  return pair_loss("h_scl", math, z, samples, options.common, labels);
}

}  // namespace ditto::losses
