#include "losses/reduction.h"

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/reduce.h"

namespace ditto::losses {

Tensor reduce(const Tensor& rows, Reduction reduction, double count) {
  if (reduction == Reduction::None) return rows;
  const Tensor total = sum(rows);
  if (reduction == Reduction::Sum) return total;
  if (count < 0) count = static_cast<double>(rows.numel());
  return count > 0 ? total / count : total * 0.0;
}

}  // namespace ditto::losses
