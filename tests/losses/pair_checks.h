// Checks that every loss over embeddings has to pass.
#pragma once

#include <cmath>
#include <functional>

#include "core/rng.h"
#include "losses/anchors.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto::testing {

inline const Dtype kFloats[] = {Dtype::F64, Dtype::F32};

// Embeddings and labels (or sample ids) -> loss; `normalize` as in PairOptions.
using PairLossOf =
    std::function<losses::PairLoss(const Tensor& z, const Tensor& labels, bool normalize)>;

// Normal numbers (n, d).
inline Tensor random_rows(int64_t n, int64_t d, Dtype dtype = Dtype::F64) {
  Rng rng(4);
  std::vector<double> values;
  for (int64_t i = 0; i < n * d; ++i) values.push_back(rng.normal());
  return Tensor::from(values, {n, d}, dtype);
}

// Loss and gradient are finite for norms from 1e-12 to 1e6, one class only, every row its own
// class, equal rows, batches of one and of none.
inline void check_always_finite(const PairLossOf& f) {
  const auto run = [&](const Tensor& values, const std::vector<int64_t>& labels, bool normalize) {
    Tensor z = values.detach().clone();
    z.set_requires_grad(true);
    const losses::PairLoss result = f(z, labels_of(labels), normalize);
    CHECK(std::isfinite(result.loss.item()));
    CHECK(std::isfinite(result.valid.item()));
    result.loss.backward();
    for (double g : z.grad().to_vector<double>()) CHECK(std::isfinite(g));
    return result;
  };
  for (Dtype dtype : kFloats)
    for (bool normalize : {true, false}) {
      for (double norm : {1e-12, 1e-3, 1.0, 1e6}) {
        std::vector<double> rows = shared_unit_rows(Dtype::F64).to_vector<double>();
        for (double& v : rows) v *= norm;
        for (const auto& labels :
             {kEmbeddingLabels, {0, 0, 0, 0, 0, 0}, {0, 1, 2, 3, 4, 5}, {0, 1, 2, 0, 1, 2}}) {
          INFO(to_string(dtype) << " norm " << norm << " normalize " << normalize << " labels "
                                << labels[1] << labels[3]);
          run(Tensor::from(rows, {6, 3}, dtype), labels, normalize);
        }
      }
      INFO("equal rows");
      run(Tensor::ones({4, 3}, dtype), {0, 1, 0, 1}, normalize);
      run(Tensor::zeros({4, 3}, dtype), {0, 1, 0, 1}, normalize);
      INFO("one row, no row");
      CHECK(run(Tensor::ones({1, 3}, dtype), {0}, normalize).loss.item() == 0);
      CHECK(run(Tensor::ones({0, 3}, dtype), {}, normalize).valid.item() == 0);
    }
}

}  // namespace ditto::testing
