#include "kernels/triplet_all.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "core/pool.h"
#include "kernels/pair_loss_tiles.h"

namespace ditto::kernels {
namespace {

// How far the positives of an anchor reach, in ascending order: a row costs one sort of its
// positives and one search per pair instead of one step per triplet.
template <class T>
class Reaches {
 public:
  // s: distances of the anchor i, whose class is the rows [first, end).
  void set(const TripletAll& math, const T* s, int64_t i, int64_t first, int64_t end) {
    reach_.clear();
    for (int64_t p = first; p < end; ++p)
      if (p != i) reach_.push_back(math.reach(s[p]));
    std::sort(reach_.begin(), reach_.end());
    const size_t size = reach_.size();
    beyond_.assign(size + 1, 0.0);
    for (size_t k = size; k > 0; --k)
      beyond_[k - 1] = beyond_[k] + static_cast<double>(reach_[k - 1]);
  }
  int64_t size() const { return static_cast<int64_t>(reach_.size()); }
  // The sum of all but the `count` shortest.
  double beyond(int64_t count) const { return beyond_[count]; }

  // How many reach no farther than d. Without branches, which would be guessed wrong half the time.
  int64_t within(T d) const {
    const T* from = reach_.data();
    int64_t left = size();
    if (left == 0) return 0;
    for (; left > 1; left -= left / 2) from += from[left / 2 - 1] <= d ? left / 2 : 0;
    return from - reach_.data() + (*from <= d);
  }

 private:
  PoolVector<T> reach_;
  PoolVector<double> beyond_;
};

// Calls body(i, first and end of its class, its distances, whether one is NaN) for every anchor of
// a tile, whose squared distances it makes distances.
template <class T, class Body>
void for_anchors(const TripletAll& math, const View& classes, const View& tile,
                 int64_t first_anchor, int64_t begin, int64_t end, Body&& body) {
  const int64_t columns = tile.shape[1], *class_of = classes.as<int64_t>();
  for (int64_t i = first_anchor + begin; i < first_anchor + end; ++i) {
    T* s = tile.as<T>() + (i - first_anchor) * columns;
    bool nan = false;
    for (int64_t j = 0; j < columns; ++j) {
      s[j] = math.distance(s[j]);
      nan |= s[j] != s[j];
    }
    body(i, class_of[i], class_of[columns + i], s, nan);
  }
}

template <class T>
void forward(CpuContext& ctx, const TripletAll& math, const View& x, const View& classes, T* loss,
             T* active) {
  for_tiles(ctx, x, x, true, [&](int64_t first_anchor, int64_t count, const View& tile) {
    const int64_t columns = tile.shape[1];
    parallel_for(ctx, count, 1 + 4096 / columns, [&](int64_t begin, int64_t end) {
      Reaches<T> positives;
      for_anchors<T>(math, classes, tile, first_anchor, begin, end,
                     [&](int64_t i, int64_t first, int64_t last, const T* s, bool nan) {
                       double sum = 0, number = 0;
                       const auto add = [&](int64_t from, int64_t to) {
                         for (int64_t j = from; j < to; ++j) {
                           const int64_t within = positives.within(s[j]);
                           const auto met = static_cast<double>(positives.size() - within);
                           // Rounding may fall below 0.
                           if (met > 0)
                             sum += std::max(0.0, positives.beyond(within) - met * double(s[j]));
                           number += met;
                         }
                       };
                       if (nan) {
                         sum = number = NAN;
                       } else {
                         positives.set(math, s, i, first, last);
                         add(0, first);
                         add(last, columns);
                       }
                       loss[i] = static_cast<T>(sum);
                       active[i] = static_cast<T>(number);
                     });
    });
  });
}

// The distances of an anchor become its coefficients; their sum is returned.
template <class T>
double coefficients(const TripletAll& math, T g, int64_t i, int64_t first, int64_t last,
                    int64_t columns, T* s, bool nan, Reaches<T>& positives,
                    PoolVector<int64_t>& met) {
  double total = 0;
  const auto put = [&](int64_t j, int64_t number) {
    s[j] = nan ? static_cast<T>(NAN) : g * static_cast<T>(number) * math.slope(s[j]);
    total += static_cast<double>(s[j]);
  };
  if (nan) {
    for (int64_t j = 0; j < columns; ++j) put(j, 0);
    return total;
  }
  positives.set(math, s, i, first, last);
  // met[k]: the negatives beyond exactly k positives, then those beyond at most k.
  met.assign(static_cast<size_t>(positives.size()) + 1, 0);
  const auto push = [&](int64_t from, int64_t to) {
    for (int64_t j = from; j < to; ++j) {
      const int64_t within = positives.within(s[j]);
      ++met[within];
      put(j, within - positives.size());
    }
  };
  push(0, first);
  push(last, columns);
  for (size_t k = 1; k < met.size(); ++k) met[k] += met[k - 1];
  for (int64_t p = first; p < last; ++p)
    // Its place in the order, or that of an equal one, which has met the same.
    if (p == i)
      s[p] = 0;
    else
      put(p, met[positives.within(math.reach(s[p])) - 1]);
  return total;
}

template <class T>
void backward(CpuContext& ctx, const TripletAll& math, const View& x, const View& classes,
              const T* g, const View& dx) {
  const int64_t rows = x.shape[0], d = x.shape[1];
  PoolVector<double> sums(static_cast<size_t>(rows));  // of the rows and columns of C
  for_tiles(ctx, x, x, true, [&](int64_t first_anchor, int64_t count, const View& tile) {
    const int64_t columns = tile.shape[1];
    const T* c = tile.as<T>();
    parallel_for(ctx, count, 1 + 4096 / columns, [&](int64_t begin, int64_t end) {
      Reaches<T> positives;
      PoolVector<int64_t> met;
      for_anchors<T>(math, classes, tile, first_anchor, begin, end,
                     [&](int64_t i, int64_t first, int64_t last, T* s, bool nan) {
                       sums[i] += coefficients(math, g[i], i, first, last, columns, s, nan,
                                               positives, met);
                     });
    });
    parallel_for(ctx, columns, 1 + 16384 / count, [&](int64_t begin, int64_t end) {
      for (int64_t r = 0; r < count; ++r)
        for (int64_t j = begin; j < end; ++j) sums[j] += static_cast<double>(c[r * columns + j]);
    });
    matmul(ctx, tile, rows_of(x, first_anchor, count), dx,
           {.transpose_a = true, .alpha = -2, .beta = first_anchor == 0 ? 0.0 : 1.0});
    matmul(ctx, tile, x, rows_of(dx, first_anchor, count), {.alpha = -2, .beta = 1});
  });
  // d|x - y|^2/dx = 2 (x - y)
  T* out = dx.as<T>();
  const T* from = x.as<T>();
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t k = i * d; k < (i + 1) * d; ++k) out[k] += static_cast<T>(2 * sums[i] * from[k]);
}

}  // namespace

void triplet_all_forward(CpuContext& ctx, const TripletAll& math, const View& x,
                         const View& classes, const View& loss, const View& active) {
  on_float(x.dtype, "triplet_all", [&](auto zero) {
    using T = decltype(zero);
    forward<T>(ctx, math, x, classes, loss.as<T>(), active.as<T>());
  });
}

void triplet_all_backward(CpuContext& ctx, const TripletAll& math, const View& x,
                          const View& classes, const View& g, const View& dx) {
  on_float(x.dtype, "triplet_all", [&](auto zero) {
    using T = decltype(zero);
    backward<T>(ctx, math, x, classes, g.as<T>(), dx);
  });
}

}  // namespace ditto::kernels
