#include "losses/distillation.h"

#include <cmath>

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"

namespace ditto::losses {
namespace {

void check_pair(const char* op, const Tensor& student, const Tensor& teacher) {
  check_rank(op, student, 2);
  check_match(op, student, teacher);
  if (!(student.shape() == teacher.shape()))
    fail(std::string("[") + op + "] student", student.shape(), "and teacher", teacher.shape(),
         "differ in shape");
}

}  // namespace

Tensor distillation(const Tensor& student, const Tensor& teacher, const DistillationOptions& o) {
  check(o.temperature > 0, "[distillation] the temperature must be positive:", o.temperature);
  check_pair("distillation", student, teacher);
  const double t = o.temperature;
  const Tensor log_p = log_softmax(widened(teacher.detach()) / t), p = exp(log_p);
  const Tensor cross = cross_entropy_rows(widened(student) / t, p);
  return reduce((cross + sum(p * log_p, 1)) * (t * t), o.reduction);
}

Tensor binary_kl_norm(const Tensor& student, const Tensor& teacher, const BinaryKlOptions& o) {
  check(o.temperature > 0, "[binary_kl_norm] the temperature must be positive:", o.temperature);
  check_pair("binary_kl_norm", student, teacher);
  const double t = o.temperature;
  const Tensor d = (widened(student) - widened(teacher.detach())) / t;
  return reduce(sum(softplus(d) - d * 0.5 - std::log(2.0), 1) * (t * t), o.reduction);
}

Tensor dual_head_distillation(const Tensor& first_head, const Tensor& second_head,
                              const Tensor& teacher, const Tensor& target,
                              const DualHeadOptions& o) {
  check(o.weight >= 0, "[dual_head_distillation] the weight must not be negative:", o.weight);
  const Tensor kl = binary_kl_norm(
      second_head, teacher, {.temperature = o.temperature, .reduction = o.cross_entropy.reduction});
  return cross_entropy(first_head, target, o.cross_entropy) + kl * o.weight;
}

}  // namespace ditto::losses
