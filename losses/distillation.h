// Knowledge distillation: a student learns a teacher's predictions. Teachers are constants.
#pragma once

#include "losses/cross_entropy.h"

namespace ditto::losses {

struct DistillationOptions {
  double temperature = 4;
  Reduction reduction = Reduction::Mean;
};
// L_i = T^2 KL(softmax(t_i / T) || softmax(s_i / T)); the mean is over rows (PyTorch's "batchmean";
// its "mean" over elements is K times too small). student, teacher (n, K) logits. The gradient is
// T (softmax(s / T) - softmax(t / T)). Source: Hinton et al. 2015.
Tensor distillation(const Tensor& student, const Tensor& teacher,
                    const DistillationOptions& options = {});

struct BinaryKlOptions {
  double temperature = 2;
  Reduction reduction = Reduction::Mean;
};
// L_i = T^2 sum_c KL((1/2, 1/2) || (sigmoid(d), 1 - sigmoid(d))), d = (s_ic - t_ic) / T, computed
// as T^2 sum_c (softplus(d) - d / 2 - log 2), which needs no clamp. 0 exactly where s = t.
Tensor binary_kl_norm(const Tensor& student, const Tensor& teacher,
                      const BinaryKlOptions& options = {});

struct DualHeadOptions {
  double weight = 1;  // of the distillation
  double temperature = 2;
  CrossEntropyOptions cross_entropy = {};  // of the first head; its reduction serves both parts
};
// Cross-entropy of the student's first head plus `weight` times binary_kl_norm of its second head,
// a linear layer of its own, to the teacher: the two losses' gradients conflict in one head. All
// logits (n, K). Source: paper 001, entry 4 (dual-head knowledge distillation).
Tensor dual_head_distillation(const Tensor& first_head, const Tensor& second_head,
                              const Tensor& teacher, const Tensor& target,
                              const DualHeadOptions& options = {});

}  // namespace ditto::losses
