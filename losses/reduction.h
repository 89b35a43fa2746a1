// How per-row losses become one number.
#pragma once

#include "core/tensor.h"

namespace ditto::losses {

enum class Reduction { Mean, Sum, None };

// rows (n) -> scalar, or the rows themselves. The mean divides by `count` (default n; 0 gives 0).
Tensor reduce(const Tensor& rows, Reduction reduction, double count = -1);

}  // namespace ditto::losses
