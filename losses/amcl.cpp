#include "losses/amcl.h"

#include <algorithm>
#include <memory>

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/l2_normalize.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "autograd/ops/softmax.h"
#include "autograd/recompute.h"

namespace ditto::losses {
namespace {

// Constants of the rows [first, first + rows) of a batch: the diagonal, and each row's positives as
// a distribution.
struct Masks {
  Tensor diagonal, others, target;
  Masks(const std::vector<int64_t>& ids, size_t first, size_t rows, Dtype dtype, Device device) {
    const size_t n = ids.size();
    std::vector<double> eye(rows * n), rest(rows * n, 1), positive(rows * n);
    for (size_t r = 0; r < rows; ++r) {
      const size_t i = first + r;
      eye[r * n + i] = 1;
      rest[r * n + i] = 0;
      double count = 0;
      for (size_t j = 0; j < n; ++j) count += j != i && ids[i] == ids[j];
      for (size_t j = 0; j < n; ++j)
        if (j != i && ids[i] == ids[j]) positive[r * n + j] = 1 / count;
    }
    const auto make = [&](const std::vector<double>& values) {
      return Tensor::from(values, {int64_t(rows), int64_t(n)}, dtype).to(device);
    };
    diagonal = make(eye);
    others = make(rest);
    target = make(positive);
  }
};

// The part that rows [first, first + rows) have in the loss of a head: z (n, d) normalised, their
// temperatures (rows, n).
Tensor rows_loss(const Tensor& z, const Tensor& temperatures, const std::vector<int64_t>& ids,
                 int64_t first, double beta) {
  const int64_t n = z.dim(0), rows = temperatures.dim(0);
  const Masks masks(ids, size_t(first), size_t(rows), temperatures.dtype(), z.device());
  // 1 on the diagonal, which then needs no case of its own.
  const Tensor tau = temperatures * masks.others + masks.diagonal;
  // A row is no pair with itself: its term is far below the others, and its target is 0.
  const Tensor own = slice(z, 0, first, first + rows);
  const Tensor similar = widened(matmul(own, transpose(z, 0, 1))) / tau;
  const Tensor logits = similar * masks.others - masks.diagonal * 1e30;
  const Tensor loss = sum(cross_entropy_rows(logits, masks.target)) / static_cast<double>(n);
  if (beta == 0 || n < 2) return loss;
  const double dimensions = static_cast<double>(z.dim(1));
  const Tensor regulariser = (log(tau) * (dimensions / 2) + 1.0 / tau) * masks.others;
  return loss + sum(regulariser) * (beta / (static_cast<double>(n) * static_cast<double>(n - 1)));
}

}  // namespace

Tensor amcl(const Tensors& heads, const Tensors& temperatures, const Tensor& samples,
            const AmclOptions& options) {
  check(!heads.empty() && heads.size() == temperatures.size(),
        "[amcl] needs one temperature matrix per head:", heads.size(), temperatures.size());
  check(options.beta >= 0, "[amcl] beta must not be negative:", options.beta);
  check_rank("amcl", heads[0], 2);
  const int64_t n = heads[0].dim(0);
  check_index("amcl", samples, n, heads[0]);
  const std::vector<int64_t> ids = samples.detach().to_vector<int64_t>();
  Tensor loss;
  for (size_t c = 0; c < heads.size(); ++c) {
    check_rank("amcl", heads[c], 2);
    check_match("amcl", heads[0], heads[c]);
    check_match("amcl", heads[0], temperatures[c]);
    check_rank("amcl", temperatures[c], 2);
    check(temperatures[c].dim(0) == n && temperatures[c].dim(1) == n && heads[c].dim(0) == n,
          "[amcl] temperatures", temperatures[c].shape(), "do not fit embeddings",
          heads[c].shape());
    const Tensor z = options.normalize ? l2_normalize(heads[c]) : heads[c];
    const Tensor head = n > 0 ? rows_loss(z, temperatures[c], ids, 0, options.beta) : sum(z) * 0.0;
    loss = loss.defined() ? loss + head : head;
  }
  return loss / static_cast<double>(heads.size());
}

AmclHeads::AmclHeads(int64_t heads, int64_t features, int64_t hidden) {
  check(heads >= 1 && heads <= 64, "[amcl] needs 1 to 64 heads, got", heads);
  for (int64_t c = 0; c < heads; ++c) {
    const std::string of_head = "head" + std::to_string(c) + "_";
    // The first layer over (z_i, z_j) is one layer over z_i plus one over z_j.
    heads_.push_back({child<nn::Linear>(of_head + "project", features, features),
                      child<nn::Linear>(of_head + "own", features, hidden),
                      child<nn::Linear>(of_head + "other", features, hidden,
                                        nn::LinearOptions{.bias = false, .flattened_image = {}}),
                      child<nn::Linear>(of_head + "temperature", hidden, int64_t{1})});
  }
}

Tensor AmclHeads::operator()(const Tensor& z, const Tensor& samples, const AmclOptions& options) {
  check_rank("amcl", z, 2);
  check(options.beta >= 0, "[amcl] beta must not be negative:", options.beta);
  const int64_t n = z.dim(0);
  check_index("amcl", samples, n, z);
  const auto ids = std::make_shared<const std::vector<int64_t>>(samples.to_vector<int64_t>());
  Tensor loss;
  for (const Head& head : heads_) {
    const Tensor projected = widened(head.project(z));
    // Temperatures of directions: from raw outputs they would pull at the length of the features.
    const Tensor x = options.normalize ? l2_normalize(projected) : projected;
    const Tensor own = widened(head.own(x)), other = widened(head.other(x));
    const int64_t hidden = own.dim(1);
    const int64_t row_bytes = std::max<int64_t>(1, n * hidden) * size_of(own.dtype());
    const int64_t most = std::max<int64_t>(1, kernels::pair_tile_bytes() / row_bytes);
    Tensor total = sum(x) * 0.0;
    for (int64_t first = 0; first < n; first += most) {
      const int64_t end = std::min(first + most, n), rows = end - first;
      const auto block = [=, beta = options.beta](const Tensors& in) {
        const Tensor left = reshape(slice(in[1], 0, first, end), {rows, 1, hidden});
        const Tensor pairs = left + reshape(in[2], {1, n, hidden});
        const Tensor score =
            widened(linear(reshape(relu(pairs), {rows * n, hidden}), in[3], in[4]));
        const Tensor tau = sigmoid(reshape(score, {rows, n})) * (2 - 1e-5) + 1e-5;
        return rows_loss(in[0], tau, *ids, first, beta);
      };
      const Tensors inputs = {x, own, other, head.temperature.weight(), head.temperature.bias()};
      total = total + (rows == n ? block(inputs) : recompute(block, inputs));
    }
    loss = loss.defined() ? loss + total : total;
  }
  return loss / static_cast<double>(heads_.size());
}

}  // namespace ditto::losses
