// Metric-learning and ranking losses over pairs. How they are written: kernels/pair_row.h.
#pragma once

#include "kernels/pair_row.h"

namespace ditto::kernels {

// Multi-Similarity (Wang et al. 2019, Eq. 13-16) with its mining: of the negatives those with
// s_in + margin > min_P s, of the positives those with s_ip - margin < max_N s.
//   L_i = log(1 + sum_P exp(-alpha (s - threshold))) / alpha
//       + log(1 + sum_N exp(beta (s - threshold))) / beta
// What is mined is a constant of the backward pass. Valid: anchors of which something was mined.
struct MultiSimilarity {
  double alpha = 2, beta = 50, threshold = 0.5, margin = 0.1;

  static constexpr const char* name = "multi_similarity";
  static constexpr int kStats = 6, kInputs = 0;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T* stats) const {
    const T a = static_cast<T>(alpha), b = static_cast<T>(beta), base = static_cast<T>(threshold);
    const T infinity = static_cast<T>(INFINITY);
    // Mined negatives lie above `above`, positives below `below`; infinities mine nothing.
    const T above = -row.max([](auto s, auto kind) { return or_lowest(kind > T(0), -s); }) -
                    static_cast<T>(margin);
    const T below = max_of_negatives<T>(row) + static_cast<T>(margin);
    const T lowest = -row.max(
        [=](auto s, auto kind) { return or_lowest(kind > T(0), or_lowest(s < below, -s)); });
    const T highest =
        row.max([=](auto s, auto kind) { return or_lowest(kind < T(0), or_lowest(s > above, s)); });
    stats[0] = below;
    stats[3] = above;
    RowLoss<T> result{0, lowest < infinity || highest > -infinity};
    // exp(x) = exp(x - top) exp(top), x - top from the similarities: products of large numbers
    // would differ by more than 1.
    if (lowest < infinity) {
      const T sum = row.sum([=](auto s, auto kind) {
        return keep_if(kind > T(0), keep_if(s < below, bounded_exp((lowest - s) * a)));
      });
      const T top = (base - lowest) * a;
      result.loss += log_one_plus_sum(top, sum) / a;
      stats[1] = lowest;
      stats[2] = share(top, sum);
    }
    if (highest > -infinity) {
      const T sum = row.sum([=](auto s, auto kind) {
        return keep_if(kind < T(0), keep_if(s > above, bounded_exp((s - highest) * b)));
      });
      const T top = (highest - base) * b;
      result.loss += log_one_plus_sum(top, sum) / b;
      stats[4] = highest;
      stats[5] = share(top, sum);
    }
    return result;
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V s, V kind, const V* st) const {
    const T a = static_cast<T>(alpha), b = static_cast<T>(beta);
    const V pull = keep_if(s < st[0], bounded_exp((st[1] - s) * a) * st[2]);
    const V push = keep_if(s > st[3], bounded_exp((s - st[4]) * b) * st[5]);
    return keep_if(kind != T(0), select(kind > T(0), -pull, push));
  }

 private:
  // log(1 + e^top sum), and e^top / (1 + e^top sum).
  template <class T>
  static ROW_FUNCTION T log_one_plus_sum(T top, T sum) {
    return top > 0 ? top + std::log(bounded_exp(-top) + sum) : std::log1p(bounded_exp(top) * sum);
  }
  template <class T>
  static ROW_FUNCTION T share(T top, T sum) {
    return top > 0 ? 1 / (bounded_exp(-top) + sum)
                   : bounded_exp(top) / (1 + bounded_exp(top) * sum);
  }
};

// sum_j log(1 + exp(-s_ij / tau)) over the pairs that count: the pairwise logistic ranking loss
// when s is a difference of scores (MW loss, arXiv 2510.00137, Eq. 3).
struct LogisticRanking {
  double temperature = 0.01;

  static constexpr const char* name = "logistic_ranking";
  static constexpr int kStats = 1, kInputs = 0;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T*) const {
    const T inverse = static_cast<T>(1 / temperature);
    const T count =
        row.sum([](auto, auto kind) { return keep_if(kind != T(0), decltype(kind){} + T(1)); });
    return {row.sum([=](auto s, auto kind) {
              const auto x = s * -inverse;
              const auto small = bounded_exp(select(x > T(0), -x, x));
              return keep_if(kind != T(0), keep_if(x > T(0), x) + log_of_one_plus(small));
            }),
            count > 0};
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V s, V kind, const V*) const {
    const T inverse = static_cast<T>(1 / temperature);
    return keep_if(kind != T(0), -inverse / (bounded_exp(s * inverse) + T(1)));
  }
};

// Robust global contrastive loss with a temperature per anchor (iSogCLR):
//   L_i = tau_i log mean_N exp(h_ij / tau_i) + tau_i rho,  h_ij = s_ij - mean_P s_ip
// Inputs per row: tau_i, and log u_i of the moving average u_i of mean_N exp(h_ij / tau_i)
// (-infinity where there is none yet), which is first moved by `gamma` towards this batch's mean.
// The gradient divides by u_i instead of this batch's mean; with gamma = 1 both are the same.
// stats[kLogAverage] is the moved log u_i, stats[kInputGradient] dL_i/dtau_i.
struct RobustContrastive {
  double rho = 0.3, gamma = 0.9;

  static constexpr const char* name = "robust_contrastive";
  static constexpr int kStats = 6, kInputs = 2, kInputGradient = 4, kLogAverage = 5;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T* stats) const {
    const T tau = row.input(0), before = row.input(1), inverse = 1 / tau;
    stats[kLogAverage] = before;
    const T positives = count_positives<T>(row), negatives = count_negatives<T>(row);
    if (!(positives > 0) || !(negatives > 0)) return {};
    const T positive =
        row.sum([](auto s, auto kind) { return keep_if(kind > T(0), s); }) / positives;
    const T top = max_of_negatives<T>(row);
    const T all = row.sum(
        [=](auto s, auto kind) { return keep_if(kind < T(0), bounded_exp((s - top) * inverse)); });
    const T slope = row.sum([=](auto s, auto kind) {
      const auto h = (s - positive) * inverse;
      return keep_if(kind < T(0), bounded_exp((s - top) * inverse) * h);
    });
    const T log_mean = (top - positive) * inverse + std::log(all / negatives);
    // log((1 - gamma) u + gamma mean), by the larger of the two.
    const T old_part = std::log(static_cast<T>(1 - gamma)) + before;
    const T new_part = std::log(static_cast<T>(gamma)) + log_mean;
    const T larger = old_part > new_part ? old_part : new_part;
    const T smaller = old_part > new_part ? new_part : old_part;
    const bool moves = gamma < 1 && before > -static_cast<T>(INFINITY);
    const T log_u = moves ? larger + std::log1p(bounded_exp(smaller - larger)) : log_mean;
    const T mass = bounded_exp(log_mean - log_u);  // sum of the weights
    stats[0] = inverse;
    stats[1] = top;
    stats[2] = mass / all;
    stats[3] = mass / positives;
    stats[kInputGradient] = log_u + static_cast<T>(rho) - mass * slope / all;
    stats[kLogAverage] = log_u;
    return {tau * (log_mean + static_cast<T>(rho)), true};
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V s, V kind, const V* st) const {
    return keep_if(kind != T(0),
                   select(kind > T(0), -st[3], bounded_exp((s - st[1]) * st[0]) * st[2]));
  }
};

}  // namespace ditto::kernels
