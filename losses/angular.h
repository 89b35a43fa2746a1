// Angular-margin losses: softmax cross-entropy of the cosines between features and class weights,
// with a margin on the true class.
//
//   c_ij = cos(theta_ij) = xhat_i . what_j;  L_i = CE(s c_ij, with s psi(c_iy) for the true class)
//
//   normalized softmax   psi(c) = c              NormFace; paper 001, entry 19
//   CosFace              psi(c) = c - m          Wang et al. 2018, Eq. 4
//   ArcFace              psi(c) = cos(theta + m) Deng et al. 2019, Eq. 3
//
// All take the cosines (n, K), which class_cosines makes of features and weights, and scale
// them by s. Rows labelled `ignore_index` (-1, as in face data) add nothing. Temperature is 1 / s.
#pragma once

#include "losses/reduction.h"

namespace ditto::losses {

// features (n, d), weights (K, d) -> cosines (n, K). A zero vector has cosine 0 with everything.
Tensor class_cosines(const Tensor& features, const Tensor& weights);

struct NormalizedSoftmaxOptions {
  double scale = 20;
  double label_smoothing = 0;
  int64_t ignore_index = -1;
  Reduction reduction = Reduction::Mean;
};
// cosines (n, K); target: labels i64 (n) or soft targets (n, K).
Tensor normalized_softmax(const Tensor& cosines, const Tensor& target,
                          const NormalizedSoftmaxOptions& options = {});

struct CosFaceOptions {
  double scale = 64;
  double margin = 0.35;
  int64_t ignore_index = -1;
  Reduction reduction = Reduction::Mean;
};
// cosines (n, K), labels i64 (n). The logits alone: cosface_logits.
Tensor cosface(const Tensor& cosines, const Tensor& labels, const CosFaceOptions& options = {});
Tensor cosface_logits(const Tensor& cosines, const Tensor& labels,
                      const CosFaceOptions& options = {});

struct ArcFaceOptions {
  double scale = 64;
  double margin = 0.5;  // radians
  // cos(theta + m) rises again beyond theta = pi - m: there the true class would be pushed away.
  // true: psi = c - m sin m in that range; false: the formula as printed.
  bool monotone = true;
  int64_t ignore_index = -1;
  Reduction reduction = Reduction::Mean;
};
// cosines (n, K), labels i64 (n).
Tensor arcface(const Tensor& cosines, const Tensor& labels, const ArcFaceOptions& options = {});
Tensor arcface_logits(const Tensor& cosines, const Tensor& labels,
                      const ArcFaceOptions& options = {});

// ElasticFace (Boutros et al. 2022, Eq. 5-8): the margin of each sample is drawn anew in every
// step.
enum class ElasticKind { Arc, Cos };
struct ElasticFaceOptions {
  ElasticKind kind = ElasticKind::Arc;
  double scale = 64;
  bool plus = false;      // the smallest margin for the largest target cosine, and so on
  double mean = -1;       // of the margins; negative: 0.5 (Arc), 0.35 (Cos)
  double deviation = -1;  // negative: 0.05; "+": 0.0175 (Arc), 0.02 (Cos)
  uint64_t seed = 0;      // margins depend on the seed, the step and the row
  uint64_t step = 0;
  bool monotone = true;
  int64_t ignore_index = -1;
  Reduction reduction = Reduction::Mean;
};
// cosines (n, K), labels i64 (n); `margins` (n) replaces the drawn ones (a constant).
Tensor elastic_face(const Tensor& cosines, const Tensor& labels,
                    const ElasticFaceOptions& options = {}, const Tensor& margins = Tensor());
// N(mean, deviation) margins (n) f64 on the CPU, as elastic_face draws them.
Tensor elastic_margins(int64_t n, const ElasticFaceOptions& options);
// The margins in the order of "+": the smallest for the row with the largest target cosine (the
// official code indexes with the sorting permutation where its inverse is meant, which shuffles
// them). Reads the cosines on the host.
Tensor elastic_assignment(const Tensor& margins, const Tensor& cosines, const Tensor& labels,
                          int64_t ignore_index = -1);

struct SFaceOptions {
  double scale = 64;
  double slope = 80;    // k of both gates
  double intra = 0.8;   // a: angle to the own class at which its gate is half open, radians
  double inter = 1.23;  // b: the same for the other classes
  int64_t ignore_index = -1;
  Reduction reduction = Reduction::Mean;
};
// L_i = -s c_y sigma(k (theta_y - a)) + sum_{j != y} s c_j sigma(-k (theta_j - b)): no softmax; the
// gates are constants. cosines (n, K), labels i64 (n). Source: Zhong et al. 2021, Eq. 9-13.
Tensor sface(const Tensor& cosines, const Tensor& labels, const SFaceOptions& options = {});

}  // namespace ditto::losses
