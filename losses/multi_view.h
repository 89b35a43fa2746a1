// Contrastive losses that see all views of a sample at once, instead of summing over pairs of
// views.
//
//   MV-InfoNCE  L_i = -log( sum_{l != m} e(u_li, u_mi) / sum_{l, (m, j) != (l, i)} e(u_li, u_mj) )
//   MV-DHEL     L_i = -log( sum_{l < m} e(u_li, u_mi) / prod_l sum_{j != i} e(u_li, u_lj) )
//
// e(a, b) = exp(a . b / tau), views l and m, samples i and j. Source: paper "A Principled Framework
// for Multi-View Contrastive Learning", as its code computes it; its README writes the denominator
// of the first over m != l only (other_views_only) and the numerator of the second over ordered
// pairs (ordered_pairs; a constant). Products of sums are sums of logarithms here and do not
// overflow.
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

struct MvInfoNceOptions {
  double temperature = 0.5;
  bool other_views_only = false;
  PairOptions common = {};
};

// z (views * n, d): view after view, in each the samples in the same order; views >= 2. The loss is
// a mean over samples; `valid` counts them.
PairLoss mv_info_nce(const Tensor& z, int64_t views, const MvInfoNceOptions& options = {});

struct MvDhelOptions {
  double temperature = 0.5;
  bool ordered_pairs = false;
  PairOptions common = {};
};

// As above, of at least two samples: one has no denominator.
PairLoss mv_dhel(const Tensor& z, int64_t views, const MvDhelOptions& options = {});

}  // namespace ditto::losses
