#include "losses/supcon.h"

namespace ditto::losses {

PairLoss supcon(const Tensor& z, const Tensor& labels, const SupConOptions& options) {
  check(options.temperature > 0, "[supcon] temperature must be positive:", options.temperature);
  const kernels::Contrastive math{.temperature = options.temperature, .form = options.form};
  return reduce_anchors("supcon",
                        pair_loss_rows("supcon", math,
                                       {.a = embeddings("supcon", z, options.common),
                                        .query_ids = pair_ids("supcon", labels)}),
                        options.common);
}

}  // namespace ditto::losses
