#include "losses/icnn.h"

#include <algorithm>

#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/l2_normalize.h"
#include "autograd/ops/nearest_rows.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"

namespace ditto::losses {
namespace {

constexpr double kEpsilon = 1e-7;  // of the authors' divisions

// Which of the n x k neighbours have the row's class, as constants, and how many per row.
struct Neighbours {
  Tensor same, different, same_share, different_share;
  double rows_with_same = 0, rows_with_different = 0, share = 0;

  Neighbours(const std::vector<int64_t>& labels, const std::vector<int64_t>& index, int64_t k,
             int64_t candidates, Dtype dtype, Device device) {
    const int64_t n = static_cast<int64_t>(labels.size());
    std::vector<double> own, other, own_weight, other_weight;
    for (int64_t i = 0; i < n; ++i) {
      double count = 0;
      for (int64_t c = 0; c < k; ++c) {
        const bool equal = labels[size_t(index[size_t(i * candidates + c)])] == labels[size_t(i)];
        own.push_back(equal);
        other.push_back(!equal);
        count += equal;
      }
      own_weight.push_back(1 / (count + kEpsilon));
      other_weight.push_back(1 / (static_cast<double>(k) - count + kEpsilon));
      rows_with_same += count > 0;
      rows_with_different += count < static_cast<double>(k);
      share += count / static_cast<double>(k) / static_cast<double>(n);
    }
    const auto make = [&](const std::vector<double>& values, int64_t columns) {
      return Tensor::from(values, {n, columns}, dtype).to(device);
    };
    same = make(own, k);
    different = make(other, k);
    same_share = make(own_weight, 1);
    different_share = make(other_weight, 1);
  }
};

Tensor largest(const Tensor& x) { return max(reshape(x, {x.numel()}), 0).values; }

}  // namespace

IcnnScore icnn(const Tensor& x, const Tensor& labels, const IcnnOptions& options) {
  check_rank("icnn", x, 2);
  check(options.k >= 1, "[icnn] needs at least one neighbour, got", options.k);
  const int64_t n = x.dim(0), d = x.dim(1);
  check_index("icnn", labels, n, x);
  if (n < 3) return {sum(x) * 0.0, sum(x) * 0.0, sum(x) * 0.0, 0};
  const bool all_used = options.k + 2 >= n;
  const int64_t k = all_used ? n - 2 : options.k, candidates = k + 1;
  const Tensor z = options.normalize ? l2_normalize(x) : x;
  const Tensor index = nearest_rows(z.detach(), candidates);
  const std::vector<int64_t> neighbours = index.to_vector<int64_t>();
  const std::vector<int64_t> y = labels.detach().to_vector<int64_t>();
  const Neighbours sets(y, neighbours, k, candidates, z.dtype(), z.device());

  const Tensor to = reshape(index_select(z, reshape(index, {n * candidates})), {n, candidates, d});
  const Tensor distance = sqrt(sum(square(reshape(z, {n, 1, d}) - to), 2) + 1e-6);

  // 1 / (distance to the nearest candidate of another class), 0 for rows that have none.
  std::vector<int64_t> nearest;
  std::vector<double> has_other;
  for (int64_t i = 0; i < n; ++i) {
    int64_t found = -1;
    for (int64_t c = candidates - 1; c >= 0; --c)
      if (y[size_t(neighbours[size_t(i * candidates + c)])] != y[size_t(i)]) found = c;
    nearest.push_back(i * candidates + std::max<int64_t>(found, 0));
    has_other.push_back(found >= 0);
  }
  const Tensor other =
      index_select(reshape(distance, {n * candidates}), Tensor::from(nearest, {n}).to(z.device()));
  const Tensor known = Tensor::from(has_other, {n, 1}, z.dtype()).to(z.device());
  const Tensor first = slice(distance, 1, 0, k);
  const Tensor relative = first / (reshape(other, {n, 1}) + kEpsilon) * known;
  const Tensor bounded = relative / maximum(max(relative, 1, true).values, 1.0);

  const Tensor own = sum(bounded * sets.same, 1, true) * sets.same_share;
  const Tensor same = 1.0 - sum(own) / (sets.rows_with_same + kEpsilon);
  const Tensor apart = first * sets.different;
  const Tensor far = sum(apart / (largest(apart) + kEpsilon), 1, true) * sets.different_share;
  Tensor different = sum(far) / (sets.rows_with_different + kEpsilon);
  if (sets.rows_with_different == 0) different = abs(different - 1.0);
  const double gamma = all_used ? 1.0 : sets.share;
  const Tensor score = ((same + different) * 0.5 + gamma) * 0.5;
  return {-log(score), same.detach(), different.detach(), gamma};
}

}  // namespace ditto::losses
