// What all pair losses share: anchors without a positive, how rows become one number, and the
// number of anchors that counted.
//
// An anchor is valid if it has what its loss needs, a positive pair and for some losses also a
// negative one. What is not valid adds nothing. Libraries differ in whether it stays in the mean's
// denominator (SupContrast: yes; others: no), so the choice is an option of every loss.
#pragma once

#include "autograd/ops/pair_loss.h"
#include "losses/reduction.h"

namespace ditto::losses {

// MeanAll: the mean divides by all anchors; MeanValid: by the valid ones, 0 when there is none;
// Error: an anchor that is not valid throws (this waits for a device).
enum class NoPositive { MeanAll, MeanValid, Error };

// The options that every pair loss has.
struct PairOptions {
  bool normalize = true;  // embeddings are scaled to length 1 first; false: they are taken as given
  NoPositive no_positive = NoPositive::MeanValid;
  Reduction reduction = Reduction::Mean;
  double scale = 1;  // factor on the loss and its gradient
};

struct PairLoss {
  Tensor loss;   // a scalar, or (n) with Reduction::None
  Tensor valid;  // how many anchors were valid, a scalar of the loss's dtype on its device
};

// rows.loss by the options.
PairLoss reduce_anchors(const char* op, const PairRows& rows, const PairOptions& options);

// x, scaled to length 1 if the options ask for it.
Tensor embeddings(const char* op, const Tensor& x, const PairOptions& options);

// Labels i64 (n) as they are, multi-hot labels (n, K) as masks.
Tensor pair_ids(const char* op, const Tensor& labels);

// The usual pair loss: every row of z against all others, positive where the labels agree.
// `exclude` as in PairTensors.
PairLoss pair_loss(const char* op, const kernels::PairMath& math, const Tensor& z,
                   const Tensor& labels, const PairOptions& options,
                   const Tensor& exclude = Tensor());

// Sample ids 0 .. samples - 1, once for each view: the rows of views stacked one after another.
Tensor view_ids(int64_t samples, int64_t views, Device device);

// Throws "[op] temperature ..." unless it is positive and finite.
void check_temperature(const char* op, double temperature);

}  // namespace ditto::losses
