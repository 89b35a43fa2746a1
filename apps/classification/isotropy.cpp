#include "apps/classification/isotropy.h"

#include <Eigen/Eigenvalues>
#include <algorithm>

#include "core/error.h"

namespace ditto::apps {

double isotropy_score(const Embeddings& embeddings) {
  check(embeddings.size() > 0, "[isotropy] needs embeddings, got", embeddings.size());
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::MatrixXd v = Eigen::Map<const Matrix>(embeddings.rows.data<float>(),
                                                     embeddings.size(), embeddings.rows.dim(1))
                                .cast<double>();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(v.transpose() * v);
  const Eigen::ArrayXXd projections = (v * solver.eigenvectors()).array();
  const Eigen::ArrayXd plus = projections.exp().colwise().sum(),
                       minus = (-projections).exp().colwise().sum();
  return std::min(plus.minCoeff(), minus.minCoeff()) / std::max(plus.maxCoeff(), minus.maxCoeff());
}

}  // namespace ditto::apps
