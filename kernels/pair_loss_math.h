// The formulas of the contrastive losses: what a row of similarities gives, written once for both
// devices.
//
// A loss is a struct of its options with
//   kStats                   how many numbers of a row the backward pass needs,
//   kInputs                  how many numbers per row the caller supplies,
//   forward(row, stats)      the row's loss, whether it is a valid anchor, and the numbers,
//   coefficient(s, kind, st) dL_i/ds_ij of one pair from its similarity and the numbers of row i.
// Since a coefficient needs nothing else, the gradient of Z in S = Z Z^T is (C + C^T) Z with C^T
// computed from the same similarity and the numbers of row j: one product, and no n x n matrix
// (kernels/pair_loss.h).
//
// `kind` is +1 for a positive pair, -1 for a negative one, 0 for a pair that does not count (i with
// itself). row.sum(f) and row.max(f) run f(s, kind) over the row, on several pairs at a time on
// the CPU: f is a generic lambda, made of arithmetic and the functions of lanes.h. `s` must not
// enter a result where kind is 0. Everything is shifted by a maximum first; the shift is subtracted
// before the division by the temperature, which is exact for close similarities.
#pragma once

#include <variant>

#include "kernels/lanes.h"

// What a CUDA thread or a CPU loop calls, never the host part of a .cu file.
#ifdef __CUDACC__
#define ROW_FUNCTION __device__ inline
#else
#define ROW_FUNCTION inline
#endif

namespace ditto::kernels {

template <class T>
struct RowLoss {
  T loss = 0;
  bool valid = false;
};

template <class T, class Row>
ROW_FUNCTION T count_positives(const Row& row) {
  return row.sum([](auto, auto kind) {
    using V = decltype(kind);
    return keep_if(kind > T(0), V{} + T(1));
  });
}
template <class T, class Row>
ROW_FUNCTION T count_negatives(const Row& row) {
  return row.sum([](auto, auto kind) {
    using V = decltype(kind);
    return keep_if(kind < T(0), V{} + T(1));
  });
}
template <class T, class Row>
ROW_FUNCTION T max_of_all(const Row& row) {
  return row.max([](auto s, auto kind) { return or_lowest(kind != T(0), s); });
}
template <class T, class Row>
ROW_FUNCTION T max_of_positives(const Row& row) {
  return row.max([](auto s, auto kind) { return or_lowest(kind > T(0), s); });
}
template <class T, class Row>
ROW_FUNCTION T max_of_negatives(const Row& row) {
  return row.max([](auto s, auto kind) { return or_lowest(kind < T(0), s); });
}

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

using PairMath = std::variant<Contrastive>;

}  // namespace ditto::kernels
