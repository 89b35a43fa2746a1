// How evenly embeddings use their space. (A file of its own because it takes Eigen's solver, which
// compiles as long as the rest together.)
#pragma once

#include "apps/classification/embeddings.h"

namespace ditto::apps {

// min / max over directions c of sum_v exp(c . v), c the eigenvectors of V^T V: 1 for a space used
// alike in all directions. Source: Mu and Viswanath 2018, section 2.1; paper 003, Eq. 4 (printed
// there as max / min). An eigenvector's sign is arbitrary, so both are taken.
double isotropy_score(const Embeddings& embeddings);

}  // namespace ditto::apps
