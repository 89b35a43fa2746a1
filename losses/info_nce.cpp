#include "losses/info_nce.h"

#include "autograd/ops/checks.h"

namespace ditto::losses {
namespace {

PairLoss query_loss(const char* op, const kernels::PairMath& math, const Tensor& queries,
                    const Tensor& keys, const PairOptions& options) {
  check_defined(op, queries);
  check_defined(op, keys);
  const Tensor a = embeddings(op, queries, options), b = embeddings(op, keys, options);
  if (b.dim(0) < a.dim(0))
    fail(std::string("[") + op + "] fewer keys than queries:", b.shape(), "and", a.shape());
  const PairTensors tensors{.a = a,
                            .b = b,
                            .query_ids = view_ids(a.dim(0), 1, a.device()),
                            .key_ids = view_ids(b.dim(0), 1, b.device())};
  return reduce_anchors(op, pair_loss_rows(op, math, tensors), options);
}

}  // namespace

PairLoss nt_xent(const Tensor& z, const Tensor& samples, const NtXentOptions& options) {
  check_temperature("nt_xent", options.temperature);
  return pair_loss("nt_xent", kernels::Contrastive{.temperature = options.temperature}, z, samples,
                   options.common);
}

PairLoss info_nce(const Tensor& queries, const Tensor& keys, const InfoNceOptions& options) {
  check_temperature("info_nce", options.temperature);
  return query_loss("info_nce", kernels::Contrastive{.temperature = options.temperature}, queries,
                    keys, options.common);
}

PairLoss hard_contrastive(const Tensor& queries, const Tensor& keys,
                          const HardContrastiveOptions& options) {
  check_temperature("hard_contrastive", options.temperature);
  check(options.fixed || (options.fraction > 0 && options.fraction <= 1),
        "[hard_contrastive] fraction must be in (0, 1]:", options.fraction);
  return query_loss("hard_contrastive",
                    kernels::HardContrastive{.temperature = options.temperature,
                                             .fraction = options.fraction,
                                             .fixed = options.fixed,
                                             .threshold = options.threshold},
                    queries, keys, options.common);
}

PairLoss simple_contrastive(const Tensor& queries, const Tensor& keys,
                            const SimpleContrastiveOptions& options) {
  return query_loss("simple_contrastive", kernels::SimpleContrastive{.lambda = options.lambda},
                    queries, keys, options.common);
}

}  // namespace ditto::losses
