// Contrastive losses: softmax over an anchor's pairs, in its variants. How they are written:
// kernels/pair_row.h.
#pragma once

#include "kernels/pair_row.h"

namespace ditto::kernels {

// Supervised contrastive loss (Khosla et al. 2020), and with one positive per anchor NT-Xent and
// InfoNCE.
//   Out:   L_i = log sum_a e_ia - mean_{p in P} s_ip / tau         (their Eq. 2)
//   In:    L_i = log sum_a e_ia - log (1/|P|) sum_{p in P} e_ip    (their Eq. 3)
//   InSum: In without the 1/|P|
struct Contrastive {
  enum class Form { Out, In, InSum };
  double temperature = 0.1;
  Form form = Form::Out;

  static constexpr const char* name = "contrastive";
  static constexpr int kStats = 5, kInputs = 0;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T* stats) const {
    const T inverse = static_cast<T>(1 / temperature);
    const T positives = count_positives<T>(row);
    if (!(positives > 0)) return {};
    const T top = max_of_all<T>(row);
    const T all = row.sum(
        [=](auto s, auto kind) { return keep_if(kind != T(0), bounded_exp((s - top) * inverse)); });
    stats[0] = top;
    stats[1] = inverse / all;
    if (form == Form::Out) {
      const T shifted = row.sum([=](auto s, auto kind) { return keep_if(kind > T(0), s - top); });
      stats[2] = inverse / positives;
      return {std::log(all) - shifted / positives * inverse, true};
    }
    const T top_positive = max_of_positives<T>(row);
    const T sum_positive = row.sum([=](auto s, auto kind) {
      return keep_if(kind > T(0), bounded_exp((s - top_positive) * inverse));
    });
    stats[3] = top_positive;
    stats[4] = inverse / sum_positive;
    return {(top - top_positive) * inverse + std::log(all) - std::log(sum_positive) +
                (form == Form::In ? std::log(positives) : T(0)),
            true};
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V s, V kind, const V* st) const {
    const T inverse = static_cast<T>(1 / temperature);
    const V pull = form == Form::Out ? st[2] : bounded_exp((s - st[3]) * inverse) * st[4];
    return keep_if(kind != T(0),
                   bounded_exp((s - st[0]) * inverse) * st[1] - keep_if(kind > T(0), pull));
  }
};

// Tuned contrastive learning (paper 002, Eq. 8-11):
//   L_i = log D_i - mean_{p in P} s_ip / tau,
//   D_i = sum_P (e_ip + k1 exp(-s_ip)) + k2 sum_N e_in;  the k1 term has no temperature.
struct Tuned {
  double temperature = 0.1, k1 = 5000, k2 = 1;

  static constexpr const char* name = "tcl";
  static constexpr int kStats = 5, kInputs = 0;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T* stats) const {
    const T inverse = static_cast<T>(1 / temperature);
    const T weight1 = static_cast<T>(k1), weight2 = static_cast<T>(k2);
    const T positives = count_positives<T>(row);
    if (!(positives > 0)) return {};
    const T top = max_of_all<T>(row);
    // Both kinds of exponentials are shifted by one number, `shift`. (A product minus itself would
    // not be 0 where the compiler fuses the two.)
    const T lowest = row.max([](auto s, auto kind) { return or_lowest(kind > T(0), -s); });
    const T highest = top * inverse;
    const T shift = highest > lowest ? highest : lowest;
    const T below = highest > lowest ? T(0) : highest - lowest;
    const T sum = row.sum([=](auto s, auto kind) {
      const auto e = bounded_exp((s - top) * inverse + below);
      return keep_if(kind != T(0),
                     select(kind > T(0), e + bounded_exp(-s - shift) * weight1, e * weight2));
    });
    const T pulled = row.sum([=](auto s, auto kind) { return keep_if(kind > T(0), s - top); });
    stats[0] = top;
    stats[1] = below;
    stats[2] = shift;
    stats[3] = 1 / sum;
    stats[4] = inverse / positives;
    return {-below + std::log(sum) - pulled / positives * inverse, true};
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V s, V kind, const V* st) const {
    const T inverse = static_cast<T>(1 / temperature);
    const V push = bounded_exp((s - st[0]) * inverse + st[1]) * st[3] * inverse;
    const V hard = bounded_exp(-s - st[2]) * st[3] * static_cast<T>(k1);
    return keep_if(kind != T(0),
                   select(kind > T(0), push - hard - st[4], push * static_cast<T>(k2)));
  }
};

// Losses that weigh negatives by their similarity:
//   L_i = log(1 + B / A),  A = sum_P e_ip,  B = F sum_N w_n e_in,  w_n = e_in^beta / sum_N e^beta
// LACLN (paper 003, Eq. 3): beta 1, F = |N|, plus log |P|; H-SCL (its reference [22]): F = n - 2.
struct HardNegative {
  double temperature = 0.5, beta = 1;
  bool through_weights = false;  // the weights are differentiated too
  double factor = -1;            // F; negative: |N|
  bool log_positives = false;    // adds log |P|

  static constexpr const char* name = "hard_negative";
  static constexpr int kStats = 5, kInputs = 0;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T* stats) const {
    const T inverse = static_cast<T>(1 / temperature), b = static_cast<T>(beta);
    const T positives = count_positives<T>(row), negatives = count_negatives<T>(row);
    if (!(positives > 0) || !(negatives > 0)) return {};
    const T top_p = max_of_positives<T>(row), top_n = max_of_negatives<T>(row);
    const T a = row.sum([=](auto s, auto kind) {
      return keep_if(kind > T(0), bounded_exp((s - top_p) * inverse));
    });
    const T weights = row.sum([=](auto s, auto kind) {
      return keep_if(kind < T(0), bounded_exp((s - top_n) * (b * inverse)));
    });
    const T weighted = row.sum([=](auto s, auto kind) {
      return keep_if(kind < T(0), bounded_exp((s - top_n) * ((1 + b) * inverse)));
    });
    const T f = factor >= 0 ? static_cast<T>(factor) : negatives;
    const T odds = std::log(f) + std::log(weighted) - std::log(weights) - std::log(a) +
                   (top_n - top_p) * inverse;  // log(B / A)
    const T small = bounded_exp(odds > 0 ? -odds : odds);
    const T r = (odds > 0 ? T(1) : small) / (1 + small) * inverse;  // B / (A + B) / tau
    stats[0] = top_p;
    stats[1] = r / a;
    stats[2] = top_n;
    stats[3] = r * (through_weights ? 1 + b : T(1)) / weighted;
    stats[4] = through_weights ? r * b / weights : T(0);
    return {
        (odds > 0 ? odds : T(0)) + std::log1p(small) + (log_positives ? std::log(positives) : T(0)),
        true};
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V s, V kind, const V* st) const {
    const T inverse = static_cast<T>(1 / temperature), b = static_cast<T>(beta);
    const V pull = bounded_exp((s - st[0]) * inverse) * st[1];
    V push = bounded_exp((s - st[2]) * ((1 + b) * inverse)) * st[3];
    if (through_weights) push = push - bounded_exp((s - st[2]) * (b * inverse)) * st[4];
    return keep_if(kind != T(0), select(kind > T(0), -pull, push));
  }
};

// InfoNCE whose denominator keeps only the hard negatives, s_in >= a threshold per anchor (paper
// "Understanding the Behaviour of Contrastive Loss", hard contrastive loss). The threshold is a
// constant of the backward pass: the given one, or the one above which lies `fraction` of the
// anchor's negatives (rounded up).
struct HardContrastive {
  double temperature = 0.1;
  double fraction = 0.1;
  bool fixed = false;  // use `threshold`
  double threshold = 0;

  static constexpr const char* name = "hard_contrastive";
  static constexpr int kStats = 4, kInputs = 0;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T* stats) const {
    const T inverse = static_cast<T>(1 / temperature);
    const T positives = count_positives<T>(row);
    if (!(positives > 0)) return {};
    const T limit = fixed ? static_cast<T>(threshold) : quantile<T>(row);
    const T top = row.max([=](auto s, auto kind) {
      return or_lowest(kind != T(0), select(kind > T(0), s, or_lowest(s >= limit, s)));
    });
    const T all = row.sum([=](auto s, auto kind) {
      const auto e = bounded_exp((s - top) * inverse);
      return keep_if(kind != T(0), select(kind > T(0), e, keep_if(s >= limit, e)));
    });
    const T pulled = row.sum([=](auto s, auto kind) { return keep_if(kind > T(0), s - top); });
    stats[0] = top;
    stats[1] = inverse / all;
    stats[2] = inverse / positives;
    stats[3] = limit;
    return {std::log(all) - pulled / positives * inverse, true};
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V s, V kind, const V* st) const {
    const T inverse = static_cast<T>(1 / temperature);
    const V e = bounded_exp((s - st[0]) * inverse) * st[1];
    return keep_if(kind != T(0), select(kind > T(0), e - st[2], keep_if(s >= st[3], e)));
  }

 private:
  // By bisection between the extremes, then half way to the largest that is left out: similarities
  // that the backward pass computes again may differ in the last digit.
  template <class T, class Row>
  ROW_FUNCTION T quantile(const Row& row) const {
    const T negatives = count_negatives<T>(row);
    if (!(negatives > 0)) return 0;
    const T wanted = std::ceil(static_cast<T>(fraction) * negatives);
    T low = -row.max([](auto s, auto kind) { return or_lowest(kind < T(0), -s); });
    T high = max_of_negatives<T>(row);
    const auto count_from = [&](T limit) {
      return row.sum([=](auto s, auto kind) {
        return keep_if(kind < T(0), keep_if(s >= limit, decltype(s){} + T(1)));
      });
    };
    T count = count_from(high);
    if (count >= wanted) low = high;
    while (count != wanted) {
      const T middle = low + (high - low) / 2;
      if (!(low < middle && middle < high)) break;  // neighbours, equal, or NaN
      count = count_from(middle);
      (count >= wanted ? low : high) = middle;
    }
    const T smallest = -row.max(
        [=](auto s, auto kind) { return or_lowest(kind < T(0), or_lowest(s >= low, -s)); });
    const T next =
        row.max([=](auto s, auto kind) { return or_lowest(kind < T(0), or_lowest(s < low, s)); });
    return next > -static_cast<T>(INFINITY) ? next + (smallest - next) / 2 : smallest;
  }
};

// -mean_P s + lambda sum_N s: no softmax (the same paper's simple contrastive loss).
struct SimpleContrastive {
  double lambda = 1;

  static constexpr const char* name = "simple_contrastive";
  static constexpr int kStats = 2, kInputs = 0;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T* stats) const {
    const T positives = count_positives<T>(row);
    if (!(positives > 0)) return {};
    const T pulled = row.sum([](auto s, auto kind) { return keep_if(kind > T(0), s); });
    const T pushed = row.sum([](auto s, auto kind) { return keep_if(kind < T(0), s); });
    stats[0] = 1 / positives;
    stats[1] = static_cast<T>(lambda);
    return {stats[1] * pushed - pulled * stats[0], true};
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V, V kind, const V* st) const {
    return keep_if(kind != T(0), select(kind > T(0), -st[0], st[1]));
  }
};

// log sum exp(s_ij / tau) over some of a row's pairs, the term of which multi-view losses are made.
// A row without such pairs is not valid and gives 0.
struct LogSumExp {
  enum class Over { Positives, Negatives, All };
  double temperature = 0.5;
  Over over = Over::All;

  static constexpr const char* name = "pair_log_sum_exp";
  static constexpr int kStats = 2, kInputs = 0;

  template <class T, class Row>
  ROW_FUNCTION RowLoss<T> forward(const Row& row, T* stats) const {
    const T inverse = static_cast<T>(1 / temperature);
    const bool positives = over != Over::Negatives, negatives = over != Over::Positives;
    const T low = negatives ? T(-2) : T(0), high = positives ? T(2) : T(0);
    const T top = row.max([=](auto s, auto kind) {
      return or_lowest(kind != T(0), or_lowest(kind > low, or_lowest(kind < high, s)));
    });
    if (!(top > -static_cast<T>(INFINITY))) return {};
    const T all = row.sum([=](auto s, auto kind) {
      const auto e = bounded_exp((s - top) * inverse);
      return keep_if(kind != T(0), keep_if(kind > low, keep_if(kind < high, e)));
    });
    stats[0] = top;
    stats[1] = inverse / all;
    return {top * inverse + std::log(all), true};
  }

  template <class T, class V>
  ROW_FUNCTION V coefficient(V s, V kind, const V* st) const {
    const V e = bounded_exp((s - st[0]) * static_cast<T>(1 / temperature)) * st[1];
    const T low = over != Over::Positives ? T(-2) : T(0);
    const T high = over != Over::Negatives ? T(2) : T(0);
    return keep_if(kind != T(0), keep_if(kind > low, keep_if(kind < high, e)));
  }
};

}  // namespace ditto::kernels
