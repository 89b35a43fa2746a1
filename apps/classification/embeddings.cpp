#include "apps/classification/embeddings.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "apps/classification/trainer.h"
#include "apps/common/chart.h"
#include "autograd/grad_mode.h"
#include "autograd/ops/matmul.h"
#include "data/augment.h"
#include "data/loader.h"

namespace ditto::apps {
namespace {

// Rows [begin, end), without a copy.
Tensor part(const Tensor& rows, int64_t begin, int64_t end) {
  return rows.alias({end - begin, rows.dim(1)}, rows.strides(),
                    rows.offset() + begin * rows.dim(1));
}

}  // namespace

Embeddings embed(models::Classifier& model, const data::ImageDataset& dataset, int64_t batch,
                 const std::function<void(int64_t)>& on_batch) {
  check(dataset.size() > 0, "[embed] there are no images in", dataset.name());
  const NoGrad guard;
  const bool was_training = model.training();
  model.eval();
  data::DataLoader loader(dataset, std::make_shared<data::SequentialSampler>(dataset.size()),
                          data::eval_augment(dataset),
                          {.batch = std::min(batch, eval_rows(dataset)), .workers = 0});
  Embeddings out;
  out.classes = dataset.classes();
  std::vector<float> rows;
  int64_t width = 0;
  while (const auto b = loader.next()) {
    const Tensor features = model.features(b->images.to(model.device()));
    width = features.dim(1);
    const auto values = features.to_vector<float>();
    for (size_t begin = 0; begin < values.size(); begin += size_t(width)) {
      double squares = 0;
      for (size_t i = begin; i < begin + size_t(width); ++i)
        squares += double(values[i]) * values[i];
      check(std::isfinite(squares), "[embed] a feature is not finite in image",
            out.labels.size() + begin / size_t(width), "of", dataset.name());
      const double scale = 1 / std::max(std::sqrt(squares), 1e-12);
      for (size_t i = begin; i < begin + size_t(width); ++i)
        rows.push_back(static_cast<float>(values[i] * scale));
    }
    const auto labels = b->labels.to_vector<int64_t>();
    out.labels.insert(out.labels.end(), labels.begin(), labels.end());
    if (on_batch) on_batch(b->size());
  }
  model.train(was_training);
  out.rows = Tensor::from(rows, {out.size(), width});
  return out;
}

double knn_accuracy(const Embeddings& bank, const Embeddings& queries, const KnnOptions& options) {
  check(bank.size() > 0 && queries.size() > 0, "[knn] a bank of", bank.size(), "and",
        queries.size(), "queries");
  check(options.neighbours > 0 && options.temperature > 0, "[knn]", options.neighbours,
        "neighbours at temperature", options.temperature);
  const NoGrad guard;
  const int64_t k = std::min(options.neighbours, bank.size());
  const int64_t tile = 256;  // rows of similarities at a time
  std::vector<int64_t> order(size_t(bank.size()));
  int64_t correct = 0;
  for (int64_t begin = 0; begin < queries.size(); begin += tile) {
    const int64_t end = std::min(begin + tile, queries.size());
    const auto similarities = linear(part(queries.rows, begin, end), bank.rows).to_vector<float>();
    for (int64_t q = begin; q < end; ++q) {
      const float* s = similarities.data() + (q - begin) * bank.size();
      std::iota(order.begin(), order.end(), 0);
      // Equal similarities in the bank's order, so that the vote does not depend on the sort.
      std::nth_element(
          order.begin(), order.begin() + (k - 1), order.end(),
          [&](int64_t a, int64_t b) { return s[a] > s[b] || (s[a] == s[b] && a < b); });
      std::sort(order.begin(), order.begin() + k);
      std::vector<double> votes(size_t(bank.classes), 0);
      for (int64_t i = 0; i < k; ++i)
        votes[size_t(bank.labels[size_t(order[size_t(i)])])] +=
            std::exp((s[order[size_t(i)]] - 1) / options.temperature);  // at most 1: no overflow
      correct +=
          std::max_element(votes.begin(), votes.end()) - votes.begin() == queries.labels[size_t(q)];
    }
  }
  return double(correct) / double(queries.size());
}

SimilarityHistogram similarity_histogram(const Embeddings& embeddings, int bins, int64_t most) {
  check(bins > 0 && most > 1, "[similarity_histogram]", bins, "bins,", most, "images");
  const NoGrad guard;
  const int64_t n = std::min(most, embeddings.size()), d = embeddings.rows.dim(1);
  std::vector<float> chosen;
  std::vector<int64_t> labels;
  const float* rows = embeddings.rows.data<float>();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t row = i * embeddings.size() / n;
    chosen.insert(chosen.end(), rows + row * d, rows + (row + 1) * d);
    labels.push_back(embeddings.labels[size_t(row)]);
  }
  const Tensor z = Tensor::from(chosen, {n, d});
  const auto s = linear(z, z).to_vector<float>();
  SimilarityHistogram out;
  out.positive.assign(size_t(bins), 0);
  out.negative.assign(size_t(bins), 0);
  double counts[2] = {0, 0}, sums[2] = {0, 0};
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i + 1; j < n; ++j) {
      const double value = s[size_t(i * n + j)];
      const bool same = labels[size_t(i)] == labels[size_t(j)];
      const int bin = std::clamp(static_cast<int>((value + 1) / 2 * bins), 0, bins - 1);
      ++(same ? out.positive : out.negative)[size_t(bin)];
      ++counts[same];
      sums[same] += value;
    }
  for (double& share : out.positive) share /= std::max(counts[1], 1.0);
  for (double& share : out.negative) share /= std::max(counts[0], 1.0);
  out.positive_mean = sums[1] / counts[1];
  out.negative_mean = sums[0] / counts[0];
  return out;
}

Figure similarity_figure(const std::vector<NamedHistogram>& runs) {
  Chart chart;
  chart.title = "Cosine similarity of pairs of test images";
  chart.x_label = "cosine similarity";
  chart.y_label = "share of pairs";
  chart.y_style = NumberStyle::Percent;
  chart.solid_label = "same class";
  chart.dashed_label = "different classes";
  int colour = 0;
  for (const NamedHistogram& run : runs) {
    for (const bool positive : {true, false}) {
      const auto& shares = positive ? run.histogram.positive : run.histogram.negative;
      Series series{.name = run.run, .colour = colour, .dashed = !positive, .markers = false};
      for (size_t bin = 0; bin < shares.size(); ++bin) {
        series.x.push_back(-1 + 2 * (double(bin) + 0.5) / double(shares.size()));
        series.y.push_back(shares[bin]);
      }
      chart.series.push_back(std::move(series));
    }
    ++colour;
  }
  return {.name = "similarities",
          .caption =
              "Features before the classifier, scaled to length 1. The less the two curves "
              "of a run overlap, the better its classes are told apart (figures 3 and 4 of "
              "the CLCE paper).",
          .svg = render_svg(chart),
          .section = "Embeddings"};
}

}  // namespace ditto::apps
