// Row-wise softmax, log-softmax and cross-entropy over the last dimension: logits (n, K), f32 or
// f64.
//
// Rows are shifted by their maximum and sums run in double, so logits of +-1e4 stay finite. Source:
// the softmax cross-entropy with soft targets, L_i = -sum_c y_ic log p_ic, of papers 000 (Eq. 7)
// and 003 (Eq. 2). The other losses of the softmax family apply a function to -log p_ic first
// (kernels/softmax_loss_math.h).
#pragma once

#include "core/context.h"
#include "core/view.h"
#include "kernels/softmax_loss_math.h"

namespace ditto::kernels {

void softmax_forward(CpuContext& ctx, const View& x, const View& y);
// dx = y * (dy - <dy, y>).
void softmax_backward(CpuContext& ctx, const View& dy, const View& y, const View& dx);
void log_softmax_forward(CpuContext& ctx, const View& x, const View& y);
// dx = dy - exp(y) * sum(dy).
void log_softmax_backward(CpuContext& ctx, const View& dy, const View& y, const View& dx);

struct CrossEntropyParams {
  double label_smoothing = 0;   // target (1 - e) onehot + e / K, for labels and soft targets alike
  int64_t ignore_index = -100;  // rows with this label lose nothing; labels only
  NllFunction function = {};    // f of the loss sum_c y_c f(-log p_c)
};

// loss (n), lse (n) f64 = log-sum-exp of each row. `labels` (n) i64 or `targets` (n, K) in logits'
// dtype: one of the two is defined. A label outside [0, K) other than ignore_index throws with the
// row and the value.
void cross_entropy_forward(CpuContext& ctx, const View& logits, const View& labels,
                           const View& targets, const View& loss, const View& lse,
                           const CrossEntropyParams& p);
// dlogits = g_i ((sum_c y_ic f'_ic) p_i - y_i o f'_i), f'_ic = f'(-log p_ic), which is 1 for
// cross-entropy; g (n) is the gradient of each row's loss. 0 for ignored rows.
void cross_entropy_backward(CpuContext& ctx, const View& g, const View& logits, const View& labels,
                            const View& targets, const View& lse, const View& dlogits,
                            const CrossEntropyParams& p);

// The same on the device of `ctx`. f32 stays in f32, and a bad label gives its row the loss NaN and
// throws at the next synchronising call (core/cuda_fault.h).
void softmax_forward(CudaContext& ctx, const View& x, const View& y);
void softmax_backward(CudaContext& ctx, const View& dy, const View& y, const View& dx);
void log_softmax_forward(CudaContext& ctx, const View& x, const View& y);
void log_softmax_backward(CudaContext& ctx, const View& dy, const View& y, const View& dx);
void cross_entropy_forward(CudaContext& ctx, const View& logits, const View& labels,
                           const View& targets, const View& loss, const View& lse,
                           const CrossEntropyParams& p);
void cross_entropy_backward(CudaContext& ctx, const View& g, const View& logits, const View& labels,
                            const View& targets, const View& lse, const View& dlogits,
                            const CrossEntropyParams& p);

}  // namespace ditto::kernels
