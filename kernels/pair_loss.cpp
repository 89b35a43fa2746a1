#include <atomic>

#include "core/parallel.h"
#include "core/pool.h"
#include "kernels/pair_loss_tiles.h"

namespace ditto::kernels {
namespace {

// How many of a block's sums stay in the lanes before they are added up in double.
constexpr int64_t kBlock = 64;

template <class T>
LanesOf<T> load(const T* from) {
  LanesOf<T> lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
// The first `count` lanes, zeros beyond.
template <class T>
LanesOf<T> load_part(const T* from, int64_t count) {
  LanesOf<T> lanes{};
  std::memcpy(&lanes, from, static_cast<size_t>(count) * sizeof(T));
  return lanes;
}

// One row of S. `kind` is padded with zeros to whole lanes.
template <class T>
struct Row {
  const T *s, *kind, *inputs;
  int64_t columns, input_step;

  T input(int k) const { return inputs[k * input_step]; }

  template <class F>
  T sum(F f) const {
    constexpr int64_t kLanes = kLanesOf<T>;
    double total = 0;
    const auto add = [&](LanesOf<T> part) {
      for (int64_t lane = 0; lane < kLanes; ++lane) total += static_cast<double>(part[lane]);
    };
    const int64_t whole = columns / kLanes * kLanes;
    for (int64_t begin = 0; begin < whole; begin += kBlock * kLanes) {
      const int64_t end = std::min(whole, begin + kBlock * kLanes);
      LanesOf<T> part{};
      for (int64_t j = begin; j < end; j += kLanes) part += f(load(s + j), load(kind + j));
      add(part);
    }
    if (whole < columns) add(f(load_part(s + whole, columns - whole), load(kind + whole)));
    return static_cast<T>(total);
  }

  template <class F>
  T max(F f) const {
    constexpr int64_t kLanes = kLanesOf<T>;
    LanesOf<T> top = LanesOf<T>{} - static_cast<T>(INFINITY);
    const auto raise = [&](LanesOf<T> v) { top = select(v > top, v, top); };
    const int64_t whole = columns / kLanes * kLanes;
    for (int64_t j = 0; j < whole; j += kLanes) raise(f(load(s + j), load(kind + j)));
    if (whole < columns) raise(f(load_part(s + whole, columns - whole), load(kind + whole)));
    T result = top[0];
    for (int64_t lane = 1; lane < kLanes; ++lane) result = std::max<T>(result, top[lane]);
    return result;
  }
};

// The kinds of a row's pairs, refilled row by row.
template <class T>
struct Kinds {
  PoolVector<T> values;
  explicit Kinds(int64_t columns)
      : values(static_cast<size_t>((columns / kLanesOf<T> + 1) * kLanesOf<T>)) {}

  const T* fill(const PairIds& ids, int64_t i, int64_t columns) {
    if (ids.words == 0 && !ids.row_exclude) {
      const int64_t id = ids.row[i];
      for (int64_t j = 0; j < columns; ++j) values[j] = ids.column[j] == id ? T(1) : T(-1);
      if (ids.self) values[i] = 0;
    } else {
      for (int64_t j = 0; j < columns; ++j) values[j] = static_cast<T>(ids.kind(i, j));
    }
    return values.data();
  }
};

template <class T, class Math>
void forward(CpuContext& ctx, const Math& math, const PairProblem& p, const View& loss,
             const View& valid, const View& stats) {
  const PairIds ids = pair_ids(p);
  const int64_t rows = p.a.shape[0];
  const T* inputs = p.inputs.defined() ? p.inputs.as<T>() : nullptr;
  T *losses = loss.as<T>(), *valids = valid.as<T>(), *saved = stats.as<T>();
  for_tiles(ctx, p.a, p.b.defined() ? p.b : p.a, p.distance,
            [&](int64_t first, int64_t count, const View& tile) {
              const int64_t columns = tile.shape[1];
              const T* s = tile.as<T>();
              parallel_for(ctx, count, 1 + 4096 / columns, [&](int64_t begin, int64_t end) {
                Kinds<T> kinds(columns);
                for (int64_t r = begin; r < end; ++r) {
                  const int64_t i = first + r;
                  const Row<T> row{s + r * columns, kinds.fill(ids, i, columns), inputs + i,
                                   columns, rows};
                  T numbers[Math::kStats] = {};
                  const RowLoss<T> result = math.template forward<T>(row, numbers);
                  losses[i] = result.loss;
                  valids[i] = result.valid ? T(1) : T(0);
                  for (int k = 0; k < Math::kStats; ++k) saved[k * rows + i] = numbers[k];
                }
              });
            });
}

// Numbers and upstream gradients of the rows whose losses a side of S contributes to; null: that
// side's losses are not differentiated here.
template <class T>
struct Role {
  const T *stats = nullptr, *g = nullptr;
  int64_t rows = 0;
};

// s becomes the coefficients of one row; their sum is returned. `anchor` is the role of i.
template <class T, class Math>
double coefficients(const Math& math, const Role<T>& anchor, const Role<T>& others, int64_t i,
                    const T* kind, int64_t columns, T* s) {
  using V = LanesOf<T>;
  constexpr int64_t kLanes = kLanesOf<T>;
  V own[Math::kStats] = {};
  V own_g = V{};
  if (anchor.g) {
    own_g += anchor.g[i];
    for (int k = 0; k < Math::kStats; ++k) own[k] += anchor.stats[k * anchor.rows + i];
  }
  V sums{};
  for (int64_t j = 0; j < columns; j += kLanes) {
    const int64_t part = std::min(kLanes, columns - j);
    const auto fetch = [&](const T* from) {
      return part == kLanes ? load(from) : load_part(from, part);
    };
    const V similarity = fetch(s + j), pair_kind = load(kind + j);
    V c{};
    if (anchor.g) c += own_g * math.template coefficient<T>(similarity, pair_kind, own);
    if (others.g) {
      V numbers[Math::kStats];
      for (int k = 0; k < Math::kStats; ++k) numbers[k] = fetch(others.stats + k * others.rows + j);
      c += fetch(others.g + j) * math.template coefficient<T>(similarity, pair_kind, numbers);
    }
    std::memcpy(s + j, &c, static_cast<size_t>(part) * sizeof(T));
    sums += c;
  }
  double total = 0;
  for (int64_t lane = 0; lane < kLanes; ++lane) total += static_cast<double>(sums[lane]);
  return total;
}

// dx of S = x y^T: `own` holds the losses of the rows of x, `others` those of y.
template <class T, class Math>
void gradient(CpuContext& ctx, const Math& math, const PairIds& ids, bool distance, const View& x,
              const View& y, const Role<T>& own, const Role<T>& others, const View& dx) {
  const int64_t d = x.shape[1];
  for_tiles(ctx, x, y, distance, [&](int64_t first, int64_t count, const View& tile) {
    const int64_t columns = tile.shape[1];
    T* s = tile.as<T>();
    PoolVector<double> sums(static_cast<size_t>(count));
    parallel_for(ctx, count, 1 + 4096 / columns, [&](int64_t begin, int64_t end) {
      Kinds<T> kinds(columns);
      for (int64_t r = begin; r < end; ++r)
        sums[r] = coefficients(math, own, others, first + r, kinds.fill(ids, first + r, columns),
                               columns, s + r * columns);
    });
    const View part = rows_of(dx, first, count);
    matmul(ctx, tile, y, part, {.alpha = distance ? -2.0 : 1.0});
    if (!distance) return;
    // d|x - y|^2/dx = 2 (x - y)
    T* out = part.as<T>();
    const T* from = x.as<T>() + first * d;
    for (int64_t r = 0; r < count; ++r)
      for (int64_t c = 0; c < d; ++c)
        out[r * d + c] += static_cast<T>(2 * sums[r] * from[r * d + c]);
  });
}

template <class T, class Math>
void backward(CpuContext& ctx, const Math& math, const PairProblem& p, const View& g,
              const View& stats, const View& da, const View& db) {
  const Role<T> queries{stats.as<T>(), g.as<T>(), p.a.shape[0]};
  PairIds ids = pair_ids(p);
  if (!p.b.defined()) {
    if (da.defined()) gradient(ctx, math, ids, p.distance, p.a, p.a, queries, queries, da);
    return;
  }
  if (da.defined()) gradient(ctx, math, ids, p.distance, p.a, p.b, queries, {}, da);
  std::swap(ids.row, ids.column);
  std::swap(ids.row_exclude, ids.column_exclude);
  if (db.defined()) gradient(ctx, math, ids, p.distance, p.b, p.a, {}, queries, db);
}

std::atomic<int64_t> tile_bytes = int64_t{8} << 20;

}  // namespace

int64_t pair_tile_bytes() { return tile_bytes; }
void set_pair_tile_bytes(int64_t bytes) { tile_bytes = bytes; }

int pair_loss_stats(const PairMath& math) {
  return std::visit([](const auto& m) { return m.kStats; }, math);
}
int pair_loss_inputs(const PairMath& math) {
  return std::visit([](const auto& m) { return m.kInputs; }, math);
}
int pair_loss_input_gradient(const PairMath& math) {
  return std::visit(
      [](const auto& m) {
        if constexpr (requires { m.kInputGradient; })
          return m.kInputGradient;
        else
          return -1;
      },
      math);
}
const char* pair_loss_name(const PairMath& math) {
  return std::visit([](const auto& m) { return m.name; }, math);
}

void squared_distances(CpuContext& ctx, const View& x, const View& y, const View& s) {
  on_float(x.dtype, "pair_loss", [&](auto zero) {
    using T = decltype(zero);
    constexpr int64_t kLanes = kLanesOf<T>;
    const int64_t rows = x.shape[0], columns = y.shape[0], d = x.shape[1];
    const int64_t whole = d / kLanes * kLanes;
    const T *from = x.as<T>(), *to = y.as<T>();
    T* out = s.as<T>();
    parallel_for(ctx, rows, 1 + 16384 / (columns * d + 1), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          const T *a = from + i * d, *b = to + j * d;
          LanesOf<T> part{};
          for (int64_t c = 0; c < whole; c += kLanes) {
            const LanesOf<T> difference = load(a + c) - load(b + c);
            part += difference * difference;
          }
          T sum = 0;
          for (int64_t lane = 0; lane < kLanes; ++lane) sum += part[lane];
          for (int64_t c = whole; c < d; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
          out[i * columns + j] = sum;
        }
    });
  });
}

void pair_loss_forward(CpuContext& ctx, const PairMath& math, const PairProblem& problem,
                       const View& loss, const View& valid, const View& stats) {
  std::visit(
      [&](const auto& m) {
        on_float(problem.a.dtype, "pair_loss",
                 [&](auto zero) { forward<decltype(zero)>(ctx, m, problem, loss, valid, stats); });
      },
      math);
}

void pair_loss_backward(CpuContext& ctx, const PairMath& math, const PairProblem& problem,
                        const View& g, const View& stats, const View& da, const View& db) {
  std::visit(
      [&](const auto& m) {
        on_float(problem.a.dtype, "pair_loss",
                 [&](auto zero) { backward<decltype(zero)>(ctx, m, problem, g, stats, da, db); });
      },
      math);
}

}  // namespace ditto::kernels
