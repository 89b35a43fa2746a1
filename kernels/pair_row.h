// How the formula of a pair loss is written, once for both devices, and what most of them count.
//
// A loss (pair_loss_contrastive.h, pair_loss_metric.h) is a struct of its options with
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

}  // namespace ditto::kernels
