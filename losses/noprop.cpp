#include "losses/noprop.h"

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/reduce.h"

namespace ditto::losses {

Tensor noprop_local(const Tensor& prediction, const Tensor& embeddings, const Tensor& labels,
                    const NoPropOptions& o) {
  check(o.weight >= 0, "[noprop] the weight must not be negative:", o.weight);
  check_rank("noprop", prediction, 2);
  check_rank("noprop", embeddings, 2);
  check_match("noprop", prediction, embeddings);
  check(prediction.dim(1) == embeddings.dim(1), "[noprop] prediction", prediction.shape(),
        "does not fit embeddings", embeddings.shape());
  check_index("noprop", labels, prediction.dim(0), prediction);
  const Tensor own = index_select(widened(embeddings), labels);
  return reduce(sum(square(widened(prediction) - own), 1) * o.weight, o.reduction);
}

}  // namespace ditto::losses
