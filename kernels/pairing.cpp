#include "kernels/pairing.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "kernels/pairing_math.h"

namespace ditto::kernels {
namespace {

struct Candidate {
  double rank;
  int64_t i, j;
};

// matched[i] = j of the greedy pairing of `rows` with `columns`, -1 for those without.
template <class RankOf>
std::vector<int64_t> greedy(int64_t rows, int64_t columns, RankOf&& rank_of) {
  std::vector<Candidate> candidates;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      if (const double rank = rank_of(i, j); rank > -HUGE_VAL) candidates.push_back({rank, i, j});
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return std::tuple(-a.rank, a.i, a.j) < std::tuple(-b.rank, b.i, b.j);
  });
  std::vector<int64_t> matched(static_cast<size_t>(rows), -1);
  std::vector<char> taken(static_cast<size_t>(columns));
  for (const Candidate& c : candidates) {
    int64_t& match = matched[static_cast<size_t>(c.i)];
    char& column = taken[static_cast<size_t>(c.j)];
    if (match < 0 && !column) match = c.j, column = 1;
  }
  return matched;
}

template <class T>
void pair_as(CpuContext& ctx, const PairingBoxes& boxes_a, const PairingBoxes& boxes_b,
             const PairingOptions& options, const View& match) {
  const PairingTable<T> a(boxes_a), b(boxes_b);
  int32_t* out = match.as<int32_t>();
  parallel_for(ctx, match.shape[0], 4, [&](int64_t begin, int64_t end) {
    for (int64_t image = begin; image < end; ++image) {
      const bool agree = areas_agree(a.area(image), b.area(image), options);
      const std::vector<int64_t> matched =
          greedy(agree ? a.count(image) : 0, b.count(image), [&](int64_t i, int64_t j) {
            return pair_rank(a.get(image, i), b.get(image, j), options);
          });
      int32_t* row = std::fill_n(out + image * a.capacity, a.capacity, -1) - a.capacity;
      std::ranges::transform(matched, row, [](int64_t j) { return static_cast<int32_t>(j); });
    }
  });
}

template <class T>
int32_t align_image(const PairingTable<T>& table, int64_t first, int64_t m,
                    const PairingOptions& options, int32_t* cluster) {
  std::vector<PairingCluster> clusters;
  double reference = 0;
  for (int64_t k = 0; k < m; ++k, cluster += table.capacity) {
    const int64_t replica = first + k, count = table.count(replica);
    std::fill_n(cluster, table.capacity, -1);
    const double area = table.area(replica);
    if (reference == 0) reference = area;
    std::vector<PairingBox> means;
    if (areas_agree(reference, area, options))
      for (const PairingCluster& c : clusters) means.push_back(c.mean());
    const std::vector<int64_t> matched =
        greedy(static_cast<int64_t>(means.size()), count, [&](int64_t c, int64_t j) {
          return pair_rank(means[static_cast<size_t>(c)], table.get(replica, j), options);
        });
    for (size_t c = 0; c < matched.size(); ++c) {
      if (matched[c] < 0) continue;
      cluster[matched[c]] = static_cast<int32_t>(c);
      clusters[c].add(table.get(replica, matched[c]));
    }
    for (int64_t j = 0; j < count; ++j) {
      if (cluster[j] >= 0) continue;
      cluster[j] = static_cast<int32_t>(clusters.size());
      clusters.push_back(PairingCluster::open(table.get(replica, j)));
    }
  }
  return static_cast<int32_t>(clusters.size());
}

template <class T>
void align_as(CpuContext& ctx, const PairingBoxes& replicas, int64_t m,
              const PairingOptions& options, const View& cluster, const View& clusters) {
  const PairingTable<T> table(replicas);
  parallel_for(ctx, clusters.shape[0], 4, [&](int64_t begin, int64_t end) {
    for (int64_t image = begin; image < end; ++image)
      clusters.as<int32_t>()[image] = align_image(
          table, image * m, m, options, cluster.as<int32_t>() + image * m * table.capacity);
  });
}

bool is(const View& view, const Shape& shape, Dtype dtype) {
  return view.shape == shape && view.dtype == dtype && view.is_contiguous();
}

}  // namespace

void check_pairing(const PairingBoxes& boxes, const PairingOptions& options) {
  const View& b = boxes.boxes;
  check(b.shape.rank() == 3 && b.shape[2] == 4 && b.is_contiguous() &&
            (b.dtype == Dtype::F32 || b.dtype == Dtype::F64),
        "[pairing] boxes must be contiguous (B, N, 4) f32 or f64, got", b.dtype, b.shape);
  check(b.shape[1] <= 1 << 20, "[pairing] more than 2^20 boxes per replica:", b.shape);
  const int64_t batch = b.shape[0], n = b.shape[1];
  const auto optional = [](const View& view, const char* what, const Shape& shape, Dtype dtype) {
    check(view.data == nullptr || is(view, shape, dtype), "[pairing]", what, "must be contiguous",
          dtype, shape, "got", view.dtype, view.shape);
  };
  optional(boxes.counts, "counts", {batch}, Dtype::I32);
  optional(boxes.labels, "labels", {batch, n}, Dtype::I64);
  optional(boxes.visible, "visible", {batch, 4}, b.dtype);
  check(!options.same_label || boxes.labels.data != nullptr, "[pairing] same_label needs labels");
  const bool iou = options.similarity == Similarity::Iou;
  check(options.threshold > 0 && (iou ? options.threshold <= 1 : options.threshold < HUGE_VAL),
        "[pairing] threshold of IoU in (0, 1], of a distance above 0, got", options.threshold);
  check(options.min_area_ratio >= 0 && options.min_area_ratio <= 1,
        "[pairing] min_area_ratio in [0, 1], got", options.min_area_ratio);
}

void check_pair_boxes(const PairingBoxes& a, const PairingBoxes& b, const PairingOptions& options,
                      const View& match) {
  check_pairing(a, options), check_pairing(b, options);
  check(a.boxes.shape[0] == b.boxes.shape[0] && a.boxes.dtype == b.boxes.dtype,
        "[pairing] two lists for one batch, of one dtype:", a.boxes.shape, b.boxes.shape);
  check(is(match, {a.boxes.shape[0], a.boxes.shape[1]}, Dtype::I32),
        "[pairing] match must be contiguous i32 (B, N) for", a.boxes.shape, "got", match.dtype,
        match.shape);
}

void check_align_star(const PairingBoxes& replicas, int64_t m, const PairingOptions& options,
                      const View& cluster, const View& clusters) {
  check_pairing(replicas, options);
  const int64_t rows = replicas.boxes.shape[0], n = replicas.boxes.shape[1];
  check(m >= 1 && rows % m == 0, "[pairing] boxes", replicas.boxes.shape, "for replicas m =", m);
  check(m * n <= 1 << 24, "[pairing] more than 2^24 boxes per image:", replicas.boxes.shape, m);
  check(is(cluster, {rows, n}, Dtype::I32) && is(clusters, {rows / m}, Dtype::I32),
        "[pairing] cluster (B x m, N) and clusters (B) must be contiguous i32, got", cluster.shape,
        clusters.shape);
}

void pair_boxes(CpuContext& ctx, const PairingBoxes& a, const PairingBoxes& b,
                const PairingOptions& options, const View& match) {
  check_pair_boxes(a, b, options, match);
  if (a.boxes.dtype == Dtype::F32) return pair_as<float>(ctx, a, b, options, match);
  pair_as<double>(ctx, a, b, options, match);
}

void align_star(CpuContext& ctx, const PairingBoxes& replicas, int64_t m,
                const PairingOptions& options, const View& cluster, const View& clusters) {
  check_align_star(replicas, m, options, cluster, clusters);
  if (replicas.boxes.dtype == Dtype::F32)
    return align_as<float>(ctx, replicas, m, options, cluster, clusters);
  align_as<double>(ctx, replicas, m, options, cluster, clusters);
}

}  // namespace ditto::kernels
