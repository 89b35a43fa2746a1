#include "losses/batch_views.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <span>

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "core/rng.h"

namespace ditto::losses {

Views by_view(const Tensor& z, const Tensor& samples) {
  const std::vector<int64_t> ids = samples.detach().to_vector<int64_t>();
  std::vector<int64_t> order(ids.size()), view(ids.size());
  std::map<int64_t, int64_t> seen;
  for (size_t i = 0; i < ids.size(); ++i) view[i] = seen[ids[i]]++;
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const auto key = [&](int64_t i) { return std::pair(view[size_t(i)], ids[size_t(i)]); };
    return key(a) < key(b);
  });
  const int64_t count = seen.empty() ? 0 : seen.begin()->second;
  for (const auto& [id, views] : seen)
    check(views == count, "[losses] sample", id, "has", views, "views, sample", seen.begin()->first,
          "has", count);
  const auto n = static_cast<int64_t>(order.size());
  return {index_select(z, Tensor::from(order, {n}).to(z.device())), count};
}

static Tensor indices(const std::vector<int64_t>& values, const Tensor& z) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}).to(z.device());
}

PairLoss of_batch(const Tensor& loss, int64_t rows) {
  return {loss, Tensor::scalar(static_cast<double>(rows), loss.dtype(), loss.device())};
}

PairLoss episode_triplet(const Tensor& z, const Tensor& labels, const Tensor& samples,
                         const ProtoTripletOptions& options) {
  const auto y = labels.detach().to_vector<int64_t>(), ids = samples.detach().to_vector<int64_t>();
  std::map<int64_t, std::map<int64_t, bool>> is_query;  // of each class's images
  std::vector<int64_t> support, query;
  for (size_t i = 0; i < y.size(); ++i) {
    auto& images = is_query[y[i]];
    const bool second = images.emplace(ids[i], images.size() % 2 == 1).first->second;
    (second ? query : support).push_back(static_cast<int64_t>(i));
  }
  if (query.empty()) return of_batch(sum(z) * 0.0, 0);
  const Tensor first = indices(support, z), rest = indices(query, z);
  return proto_triplet(index_select(z, first), index_select(labels, first), index_select(z, rest),
                       index_select(labels, rest), options);
}

PairLoss between_views(
    const Tensor& z, const Tensor& samples,
    const std::function<Tensor(const Tensor& queries, const Tensor& keys)>& loss) {
  const Views views = by_view(z, samples);
  const int64_t n = z.dim(0), images = n / std::max<int64_t>(views.count, 1);
  const auto view = [&](int64_t v) { return slice(views.z, 0, v * images, (v + 1) * images); };
  Tensor total = sum(z) * 0.0;
  for (int64_t a = 0; a < views.count; ++a)
    for (int64_t b = 0; b < views.count; ++b)
      if (a != b) total = total + loss(view(a), view(b));
  return of_batch(total / std::max(1.0, double(views.count * (views.count - 1))),
                  views.count > 1 ? n : 0);
}

std::vector<std::pair<int64_t, int64_t>> class_pairs(const Tensor& labels, int64_t count,
                                                     const StepContext& context) {
  const auto y = labels.detach().to_vector<int64_t>();
  const std::set<int64_t> present(y.begin(), y.end());
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (auto a = present.begin(); a != present.end(); ++a)
    for (auto b = a; b != present.end(); ++b) pairs.emplace_back(*a, *b);
  if (static_cast<int64_t>(pairs.size()) > count) {
    Rng rng(context.seed, Purpose::User, context.step);
    rng.shuffle(std::span(pairs));
    pairs.resize(static_cast<size_t>(count));
  }
  return pairs;
}

}  // namespace ditto::losses
