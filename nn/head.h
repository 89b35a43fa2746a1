// Heads: the last layer of a classifier, from features to logits.
#pragma once

#include "nn/linear.h"

namespace ditto::nn {

struct HeadOptions {
  bool bias = true;
  // Above 0: logits are so many times the cosines between features and class weights, and there is
  // no bias. What angular-margin losses train (losses/angular.h).
  double cosine_scale = 0;

  friend bool operator==(const HeadOptions&, const HeadOptions&) = default;
};

// y_no = scale cos(x_n, w_o). x (N, I) -> (N, O), f32 for bf16 input; weight (O, I). A zero vector
// has cosine 0 with everything. Source: Wang et al. 2017 (NormFace), section 3.
class CosineLinear : public Linear {
 public:
  CosineLinear(int64_t in, int64_t out, double scale);
  Tensor forward(const Tensor& x) override;

 private:
  double scale_;
};

}  // namespace ditto::nn
