#include "losses/amcl.h"

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/l2_normalize.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "autograd/ops/softmax.h"

namespace ditto::losses {
namespace {

// Constants of a batch: the diagonal, and each row's positives as a distribution.
struct Masks {
  Tensor diagonal, others, target;
  Masks(const std::vector<int64_t>& ids, Dtype dtype, Device device) {
    const size_t n = ids.size();
    std::vector<double> eye(n * n), rest(n * n, 1), positive(n * n);
    for (size_t i = 0; i < n; ++i) {
      eye[i * n + i] = 1;
      rest[i * n + i] = 0;
      double count = 0;
      for (size_t j = 0; j < n; ++j) count += j != i && ids[i] == ids[j];
      for (size_t j = 0; j < n; ++j)
        if (j != i && ids[i] == ids[j]) positive[i * n + j] = 1 / count;
    }
    const auto make = [&](const std::vector<double>& values) {
      return Tensor::from(values, {int64_t(n), int64_t(n)}, dtype).to(device);
    };
    diagonal = make(eye);
    others = make(rest);
    target = make(positive);
  }
};

}  // namespace

Tensor amcl(const Tensors& heads, const Tensors& temperatures, const Tensor& samples,
            const AmclOptions& options) {
  check(!heads.empty() && heads.size() == temperatures.size(),
        "[amcl] needs one temperature matrix per head:", heads.size(), temperatures.size());
  check(options.beta >= 0, "[amcl] beta must not be negative:", options.beta);
  check_rank("amcl", heads[0], 2);
  const int64_t n = heads[0].dim(0);
  check_index("amcl", samples, n, heads[0]);
  const Masks masks(samples.detach().to_vector<int64_t>(), heads[0].dtype(), heads[0].device());
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
    // 1 on the diagonal, which then needs no case of its own.
    const Tensor tau = temperatures[c] * masks.others + masks.diagonal;
    // A row is no pair with itself: its term is far below the others, and its target is 0.
    const Tensor similar = widened(matmul(z, transpose(z, 0, 1))) / tau;
    const Tensor logits = similar * masks.others - masks.diagonal * 1e30;
    Tensor head = n > 0 ? mean(cross_entropy_rows(logits, masks.target)) : sum(z) * 0.0;
    if (options.beta != 0 && n > 1) {
      const double dimensions = static_cast<double>(z.dim(1));
      const Tensor regulariser = (log(tau) * (dimensions / 2) + 1.0 / tau) * masks.others;
      head = head + sum(regulariser) * (options.beta / static_cast<double>(n * (n - 1)));
    }
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
  const int64_t n = z.dim(0);
  Tensors projected, temperatures;
  for (const Head& head : heads_) {
    projected.push_back(widened(head.project(z)));
    // Temperatures of directions: from raw outputs they would pull at the length of the features.
    const Tensor x = options.normalize ? l2_normalize(projected.back()) : projected.back();
    const Tensor own = widened(head.own(x)), other = widened(head.other(x));
    const int64_t hidden = own.dim(1);
    const Tensor pairs = reshape(own, {n, 1, hidden}) + reshape(other, {1, n, hidden});
    const Tensor score = widened(head.temperature(reshape(relu(pairs), {n * n, hidden})));
    temperatures.push_back(sigmoid(reshape(score, {n, n})) * (2 - 1e-5) + 1e-5);
  }
  return amcl(projected, temperatures, samples, options);
}

}  // namespace ditto::losses
