// How strongly positives and negatives pull and push in SupCon and TCL: the curves of paper 002,
// figure 3.
#pragma once

#include "apps/common/report.h"
#include "core/tensor.h"

namespace ditto::apps {

// Means over those anchors that have a positive; NaN when none has. A batch of more than 256 rows
// speaks by 256 of them, evenly spread, against all rows: it is computed in every step.
struct GradientResponse {
  double positives = 0;  // mean over P(i) of |1/|P| - P_ip + Y_ip|, paper 002, Eq. 13-15, 17
  double negatives = 0;  // mean over N(i) of P_in, Eq. 16; anchors without a negative add 0
};

// TCL's parameters; with k1 = 0 and k2 = 1 they are SupCon's (Eq. 5-7).
struct ResponseOptions {
  double temperature = 0.1, k1 = 0, k2 = 1;
};
// Embeddings (n, d), scaled to length 1 here; labels n.
GradientResponse gradient_response(const Tensor& embeddings, const std::vector<int64_t>& labels,
                                   const ResponseOptions& options);

// Both against the steps, of the runs that have them; no figure where none has. Files:
// gradient_positives, gradient_negatives.
std::vector<Figure> gradient_response_figures(const std::vector<RunRecord>& runs);

}  // namespace ditto::apps
