// Adaptive multi-head contrastive loss (AMCL): several projection heads, each with a temperature of
// its own for every pair.
//
//   L = (1/C) sum_c NT-Xent(s^c_ij / tau^c_ij) + beta mean_{c, i != j} [ (d/2) log tau + 1/tau ]
//
// Source: paper 001, entry 6. The paper's exact formula is not established and its published code
// does not run (it compares e^s with e^-s), so this is a definition of this project: tau as the
// variance of a pair, with the regulariser of its likelihood.
#pragma once

#include "losses/anchors.h"
#include "nn/linear.h"

namespace ditto::losses {

struct AmclOptions {
  double beta = 0.1;
  bool normalize = true;
};

// heads: C tensors (n, d); temperatures: C tensors (n, n), > 0, the diagonal is not read; samples
// (n) i64. Gradients flow to both. Memory is that of the temperatures, C n^2.
Tensor amcl(const Tensors& heads, const Tensors& temperatures, const Tensor& samples,
            const AmclOptions& options = {});

// The heads and temperatures of amcl() as a network: each head is a linear layer (d -> d), its
// temperatures are tau_ij = (2 - 1e-5) sigmoid(MLP(z_i, z_j)) + 1e-5 of that head's output
// (normalised as for the loss), with one hidden layer, as in the published code. Worked off in
// blocks of rows, which the backward pass computes again: memory is linear in n.
class AmclHeads : public nn::Module {
 public:
  AmclHeads(int64_t heads, int64_t features, int64_t hidden = 16);
  // z (n, features), samples (n) i64 -> a scalar, f32 for bf16 embeddings.
  Tensor operator()(const Tensor& z, const Tensor& samples, const AmclOptions& options = {});

 private:
  struct Head {
    nn::Linear &project, &own, &other, &temperature;
  };
  std::vector<Head> heads_;
};

}  // namespace ditto::losses
