// Margin losses over squared distances, and InfoNCE with one positive at a time. How they are
// written: kernels/pair_row.h.
#pragma once

#include "kernels/pair_row.h"

namespace ditto::kernels {

// The distance of a squared distance, and its derivative by that: 0 where two points coincide,
// whose distance has no gradient.
template <class T>
ROW_FUNCTION T distance_of(T squared, bool keep_squared) {
  return keep_squared ? squared : std::sqrt(squared);
}
template <class T>
ROW_FUNCTION T distance_slope(T squared, bool keep_squared) {
  return keep_squared ? T(1) : squared > T(0) ? T(0.5) / std::sqrt(squared) : T(0);
}

// max(0, d(farthest positive) - d(nearest negative) + margin): batch-hard (Hermans et al. 2017,
// Eq. 5). The two are constants of the backward pass; equally far ones share the gradient. `s` is
// the squared distance.
struct TripletHard {
  double margin = 0.2;
  bool squared = false;

  static constexpr const char* name = "triplet_hard";
  static constexpr int kStats = 4, kInputs = 0;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T* stats) const {
    const T infinity = static_cast<T>(INFINITY);
    const T positive = max_of_positives<T>(row);
    const T negative = -row.max([](auto s, auto kind) { return or_lowest(kind < T(0), -s); });
    if (!(positive > -infinity) || !(negative < infinity)) return {};
    const T loss =
        distance_of(positive, squared) - distance_of(negative, squared) + static_cast<T>(margin);
    if (!(loss > 0)) return {loss < 0 ? T(0) : loss, true};  // NaN stays
    const T positives = row.sum([=](auto s, auto kind) {
      return keep_if(kind > T(0), keep_if(s == positive, decltype(s){} + T(1)));
    });
    const T negatives = row.sum([=](auto s, auto kind) {
      return keep_if(kind < T(0), keep_if(s == negative, decltype(s){} + T(1)));
    });
    stats[0] = positive;
    stats[1] = distance_slope(positive, squared) / positives;
    stats[2] = negative;
    stats[3] = distance_slope(negative, squared) / negatives;
    return {loss, true};
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V s, V kind, const V* st) const {
    return keep_if(kind != T(0),
                   select(kind > T(0), keep_if(s == st[0], st[1]), -keep_if(s == st[2], st[3])));
  }
};

// (1/|P|) sum_{p in P} [ log(e_ip + sum_N e_in) - s_ip / tau ]: each positive against the negatives
// alone, other positives left out of its denominator (Hydra, NT-Xent of pytorch-metric-learning).
struct OnePositive {
  double temperature = 0.1;

  static constexpr const char* name = "one_positive";
  static constexpr int kStats = 4, kInputs = 0;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T* stats) const {
    const T inverse = static_cast<T>(1 / temperature);
    const T positives = count_positives<T>(row), negatives = count_negatives<T>(row);
    if (!(positives > 0)) return {};
    if (!(negatives > 0)) return {0, true};  // log(e / e)
    const T top = max_of_negatives<T>(row);
    const T all = row.sum(
        [=](auto s, auto kind) { return keep_if(kind < T(0), bounded_exp((s - top) * inverse)); });
    const T log_all = std::log(all);
    // log(1 + exp(log sum_N - s / tau))
    const T loss = row.sum([=](auto s, auto kind) {
      const auto x = (top - s) * inverse + log_all;
      return keep_if(kind > T(0),
                     keep_if(x > T(0), x) + log_of_one_plus(bounded_exp(select(x > T(0), -x, x))));
    });
    const T mass = row.sum([=](auto s, auto kind) {
      const auto x = (top - s) * inverse + log_all;
      return keep_if(kind > T(0), T(1) / (bounded_exp(-x) + T(1)));
    });
    stats[0] = top;
    stats[1] = inverse / positives;
    stats[2] = log_all;
    stats[3] = mass / all;
    return {loss / positives, true};
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V s, V kind, const V* st) const {
    const V x = (s - st[0]) * static_cast<T>(1 / temperature);
    const V pull = T(1) / (bounded_exp(x - st[2]) + T(1));
    return keep_if(kind != T(0), select(kind > T(0), -pull, bounded_exp(x) * st[3]) * st[1]);
  }
};

}  // namespace ditto::kernels
