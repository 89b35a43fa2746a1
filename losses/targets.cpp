#include "losses/targets.h"

#include <algorithm>
#include <string>

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/label_select.h"
#include "autograd/ops/reduce.h"
#include "losses/cross_entropy.h"

namespace ditto::losses {
namespace {

void check_target(const char* op, const Tensor& logits, const Tensor& target) {
  check_rank(op, logits, 2);
  if (logits.dim(1) < 1)
    fail(std::string("[") + op + "] needs at least one class, got", logits.shape());
  check_defined(op, target);
  if (!is_soft(target)) return check_index(op, target, logits.dim(0), logits);
  check_match(op, logits, target);
  if (!(target.shape() == logits.shape()))
    fail(std::string("[") + op + "] soft targets", target.shape(), "do not fit logits",
         logits.shape());
}

}  // namespace

bool is_soft(const Tensor& target) { return target.dtype() != Dtype::I64; }

Tensor as_soft(const char* op, const Tensor& logits, const Tensor& target, int64_t ignore_index) {
  check_target(op, logits, target);
  if (is_soft(target)) return target.detach();
  return one_hot(target.detach(), logits.dim(1), logits.dtype(), ignore_index);
}

Tensor smoothed(const char* op, const Tensor& logits, const Tensor& target,
                double label_smoothing) {
  if (label_smoothing == 0) return target;
  const Tensor y = as_soft(op, logits, target, kNoIgnoredLabel);
  return y * (1 - label_smoothing) + label_smoothing / static_cast<double>(y.dim(1));
}

Tensor over_target(const char* op, const Tensor& class_losses, const Tensor& target,
                   int64_t ignore_index) {
  check_target(op, class_losses, target);
  if (is_soft(target)) return sum(class_losses * target.detach(), 1);
  return pick_label(class_losses, target, ignore_index);
}

int64_t counted_rows(const Tensor& target, int64_t ignore_index) {
  const int64_t n = target.dim(0);
  if (is_soft(target) || ignore_index == kNoIgnoredLabel) return n;
  const Tensor labels = target.detach().to(kCpu).contiguous();
  const int64_t* first = labels.data<int64_t>();
  return n - std::count(first, first + n, ignore_index);
}

Tensor row_mask(const Tensor& x, const Tensor& target, int64_t ignore_index) {
  if (counted_rows(target, ignore_index) == target.dim(0)) return {};
  std::vector<double> mask;
  for (int64_t label : target.to_vector<int64_t>()) mask.push_back(label == ignore_index ? 0 : 1);
  return Tensor::from(mask, target.shape(), x.dtype()).to(x.device());
}

void check_hard(const char* op, const Tensor& logits, const Tensor& target) {
  check_defined(op, target);
  if (is_soft(target)) fail(std::string("[") + op + "] takes hard labels only, got", target);
  check_target(op, logits, target);
}

}  // namespace ditto::losses
