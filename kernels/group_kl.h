// The regulariser of LossTransform (paper 000, Eq. 7-8): KL_i = D_KL(pbar_i || p_i), p =
// softmax(logits).
//
//   pbar_i = sum_j W_ij p_j,  W_ij = w_ij / sum_j w_ij,  j over the rows with i's group id (i
//   itself included)
//
// w_ij is 1, or, with `targets` (n, K), the overlap sum_c min(y_ic, y_jc) of the rows' label
// distributions. Computed from log-softmax and log-sum-exp in double; no epsilon anywhere. Cost:
// sum over groups of size^2 * K.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

// logits (n, K) f32 or f64; groups (n) i64, any values; targets (n, K) or undefined; kl (n); anchor
// (n, K) = pbar.
void group_kl_forward(CpuContext& ctx, const View& logits, const View& groups, const View& targets,
                      const View& kl, const View& anchor);
// dlogits from g (n), the gradient of each kl_i. Anchor detached: g_i (p_i - pbar_i). With
// `anchor_grad` also p_k o (a_k - <p_k, a_k>), a_k = sum_i g_i W_ik (log pbar_i - log p_i).
void group_kl_backward(CpuContext& ctx, const View& g, const View& logits, const View& groups,
                       const View& targets, bool anchor_grad, const View& dlogits);

// mean (n, K) = mean of x over the rows with the same group id (the pseudo-label of a group, paper
// 000 sec. 2.2).
void group_mean(CpuContext& ctx, const View& x, const View& groups, const View& mean);

// The same on the device of `ctx`; f32 stays in f32.
void group_kl_forward(CudaContext& ctx, const View& logits, const View& groups, const View& targets,
                      const View& kl, const View& anchor);
void group_kl_backward(CudaContext& ctx, const View& g, const View& logits, const View& groups,
                       const View& targets, bool anchor_grad, const View& dlogits);
void group_mean(CudaContext& ctx, const View& x, const View& groups, const View& mean);

}  // namespace ditto::kernels
