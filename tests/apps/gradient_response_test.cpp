#include "apps/classification/gradient_response.h"

#include <cmath>

#include "tests/support/catch.h"

namespace ditto::apps {

using testing::contains;

TEST_CASE("gradient response: by hand, and theorems 1 and 2 of paper 002", "[gradient_response]") {
  // Orthogonal embeddings, two of one class: every exponential is 1.
  const Tensor z = Tensor::from(std::vector<float>{2, 0, 0, 0, 3, 0, 0, 0, 1}, {3, 3});
  const std::vector<int64_t> labels = {0, 0, 1};
  const GradientResponse supcon = gradient_response(z, labels, {.temperature = 1});
  CHECK(supcon.positives == Approx(0.5));
  CHECK(supcon.negatives == Approx(0.5));
  const GradientResponse tcl = gradient_response(z, labels, {.temperature = 1, .k1 = 2, .k2 = 3});
  CHECK(tcl.positives == Approx(1 - 1 / 6.0 + 2 / 6.0));
  CHECK(tcl.negatives == Approx(0.5));
  for (const double temperature : {1.0, 0.1, 0.01}) {
    INFO(temperature);
    double positives = gradient_response(z, labels, {.temperature = temperature}).positives;
    for (const double k1 : {1.0, 10.0, 1000.0}) {
      const double more =
          gradient_response(z, labels, {.temperature = temperature, .k1 = k1}).positives;
      CHECK(more > positives);
      positives = more;
    }
    CHECK(gradient_response(z, labels, {.temperature = temperature, .k1 = 1, .k2 = 2}).negatives >
          gradient_response(z, labels, {.temperature = temperature, .k1 = 1, .k2 = 1}).negatives);
  }
  CHECK(std::isnan(gradient_response(z, {0, 1, 2}, {}).positives));
  CHECK_THROWS_WITH(gradient_response(z, {0, 1}, {}), contains("[gradient_response]"));
}

TEST_CASE("gradient response: a large batch speaks by 256 of its anchors", "[gradient_response]") {
  // 300 classes of two equal rows, all others at right angles: every anchor has the same response.
  const int64_t classes = 300;
  std::vector<float> values(static_cast<size_t>(2 * classes * classes));
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 2 * classes; ++i) {
    labels.push_back(i / 2);
    values[static_cast<size_t>(i * classes + i / 2)] = 1;
  }
  const Tensor z = Tensor::from(values, {2 * classes, classes});
  const double positive = std::exp(1.0), all = positive + 2 * (classes - 1);
  const GradientResponse response = gradient_response(z, labels, {.temperature = 1});
  CHECK(response.positives == Approx(1 - positive / all));
  CHECK(response.negatives == Approx(1 / all));
  // Anchors 0, 2, 4, 7, ... are looked at: a pair of 0 and 1 is seen, one of 1 and 3 is not.
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int64_t>(i);
  labels[1] = labels[0];
  CHECK(gradient_response(z, labels, {.temperature = 1}).positives == Approx(1 - positive / all));
  labels[1] = labels[3];
  CHECK(std::isnan(gradient_response(z, labels, {.temperature = 1}).positives));
}

}  // namespace ditto::apps
