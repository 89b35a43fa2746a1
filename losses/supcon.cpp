#include "losses/supcon.h"

namespace ditto::losses {

PairLoss supcon(const Tensor& z, const Tensor& labels, const SupConOptions& options) {
  check_temperature("supcon", options.temperature);
  const kernels::Contrastive math{.temperature = options.temperature, .form = options.form};
  return pair_loss("supcon", math, z, labels, options.common);
}

}  // namespace ditto::losses
