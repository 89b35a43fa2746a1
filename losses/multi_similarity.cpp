#include "losses/multi_similarity.h"

namespace ditto::losses {

PairLoss multi_similarity(const Tensor& z, const Tensor& labels,
                          const MultiSimilarityOptions& options) {
  check(options.alpha > 0 && options.beta > 0,
        "[multi_similarity] alpha and beta must be positive:", options.alpha, options.beta);
  const kernels::MultiSimilarity math{.alpha = options.alpha,
                                      .beta = options.beta,
                                      .threshold = options.threshold,
                                      .margin = options.margin};
  return pair_loss("multi_similarity", math, z, labels, options.common);
}

}  // namespace ditto::losses
