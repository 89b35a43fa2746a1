#include "losses/tcl.h"

namespace ditto::losses {

PairLoss tcl(const Tensor& z, const Tensor& labels, const TclOptions& options) {
  check_temperature("tcl", options.temperature);
  check(options.k1 >= 0 && options.k2 >= 0, "[tcl] k1 and k2 must not be negative:", options.k1,
        options.k2);
  const kernels::Tuned math{.temperature = options.temperature, .k1 = options.k1, .k2 = options.k2};
  return pair_loss("tcl", math, z, labels, options.common);
}

}  // namespace ditto::losses
