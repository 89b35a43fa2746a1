// parallel_for: split a range over the threads of a CpuContext.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>

// nvcc compiles host code without OpenMP, and runs no loop of the CPU backend.
#if defined(DITTO_HAS_OPENMP) && !defined(__CUDACC__)
#define DITTO_PARALLEL_LOOPS
#include <omp.h>
#endif

#include "core/context.h"

namespace ditto {

// Calls f(begin, end) on disjoint pieces that cover [0, n), at least `grain` items each. Which
// piece a thread gets depends on n, grain and ctx.threads alone. Exceptions thrown by f are
// rethrown here (the first piece's wins).
template <class F>
void parallel_for(const CpuContext& ctx, int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  [[maybe_unused]] const int64_t pieces =
      std::clamp<int64_t>(n / std::max<int64_t>(grain, 1), 1, std::max(ctx.threads, 1));
#ifdef DITTO_PARALLEL_LOOPS
  if (pieces > 1 && !omp_in_parallel()) {
    std::exception_ptr error;
    int64_t failed = pieces;  // the first piece that threw, so that the message does not vary
#pragma omp parallel num_threads(static_cast <int>(pieces))
    {
      // A smaller team than asked for is legal: every thread then takes several pieces.
      for (int64_t piece = omp_get_thread_num(); piece < pieces; piece += omp_get_num_threads()) {
        try {
          f(n * piece / pieces, n * (piece + 1) / pieces);
        } catch (...) {
#pragma omp critical(ditto_parallel_for)
          if (piece < failed) {
            failed = piece;
            error = std::current_exception();
          }
        }
      }
    }
    if (error) std::rethrow_exception(error);
    return;
  }
#endif
  f(int64_t{0}, n);
}

}  // namespace ditto
