#include "apps/classification/gradient_response.h"

#include <algorithm>
#include <cmath>

#include "apps/common/chart.h"

namespace ditto::apps {

GradientResponse gradient_response(const Tensor& embeddings, const std::vector<int64_t>& labels,
                                   const ResponseOptions& options) {
  const auto [temperature, k1, k2] = options;
  check(embeddings.rank() == 2 && embeddings.dim(0) == int64_t(labels.size()),
        "[gradient_response] embeddings", embeddings, "for", labels.size(), "labels");
  check(temperature > 0, "[gradient_response] temperature", temperature);
  const auto n = labels.size(), d = static_cast<size_t>(embeddings.dim(1));
  std::vector<double> z = embeddings.detach().to_vector<double>();
  for (size_t i = 0; i < n; ++i) {
    double squares = 0;
    for (size_t k = 0; k < d; ++k) squares += z[i * d + k] * z[i * d + k];
    for (size_t k = 0; k < d; ++k) z[i * d + k] /= std::max(std::sqrt(squares), 1e-12);
  }
  GradientResponse mean;
  double anchors = 0;
  std::vector<double> s(n);
  const size_t looked_at = std::min<size_t>(n, 256);
  for (size_t anchor = 0; anchor < looked_at; ++anchor) {
    const size_t i = anchor * n / looked_at;
    double positives = 0;
    for (size_t j = 0; j < n; ++j) {
      s[j] = 0;
      for (size_t k = 0; k < d; ++k) s[j] += z[i * d + k] * z[j * d + k];
      positives += j != i && labels[j] == labels[i];
    }
    if (positives == 0) continue;
    // Every term of the denominator relative to exp(1 / temperature), the largest there can be.
    const auto e = [&](size_t j) { return std::exp((s[j] - 1) / temperature); };
    const auto repelled = [&](size_t j) { return k1 * std::exp(-s[j] - 1 / temperature); };
    double denominator = 0;
    for (size_t j = 0; j < n; ++j)
      if (j != i) denominator += labels[j] == labels[i] ? e(j) + repelled(j) : k2 * e(j);
    double pull = 0, push = 0;
    for (size_t j = 0; j < n; ++j) {
      if (j == i) continue;
      if (labels[j] == labels[i])
        pull += std::fabs(1 / positives - (e(j) - temperature * repelled(j)) / denominator);
      else
        push += k2 * e(j) / denominator;
    }
    mean.positives += pull / positives;
    mean.negatives += push / std::max(1.0, double(n) - 1 - positives);
    ++anchors;
  }
  mean.positives /= anchors;
  mean.negatives /= anchors;
  return mean;
}

std::vector<Figure> gradient_response_figures(const std::vector<RunRecord>& runs) {
  std::vector<Figure> figures;
  for (const bool positives : {true, false}) {
    const auto field =
        positives ? &StepMetrics::gradient_positives : &StepMetrics::gradient_negatives;
    Chart chart;
    chart.title = positives ? "Gradient from positives" : "Gradient from negatives";
    chart.x_label = "step";
    chart.y_label = "mean response";
    chart.y_min = 0;
    int colour = 0;
    for (const RunRecord& run : runs) {
      Series series;
      series.name = run.name;
      series.colour = colour++;
      series.markers = false;
      for (const StepMetrics& step : run.steps) {
        if (!std::isfinite(step.*field)) continue;
        series.x.push_back(step.step);
        series.y.push_back(step.*field);
      }
      if (!series.x.empty()) chart.series.push_back(thinned(series, 200));
    }
    if (chart.series.empty()) continue;
    figures.push_back(
        {.name = positives ? "gradient_positives" : "gradient_negatives",
         .caption = positives
                        ? "Mean |1/|P| - P_ip + Y_ip| of the batch's anchors (TCL paper, Eq. 17): "
                          "larger k1, stronger pull."
                        : "Mean P_in of the batch's anchors (TCL paper, Eq. 16): larger k2, "
                          "stronger push.",
         .svg = render_svg(chart),
         .section = "Contrastive training"});
  }
  return figures;
}

}  // namespace ditto::apps
