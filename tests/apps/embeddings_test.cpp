#include "apps/classification/embeddings.h"
#include "apps/classification/isotropy.h"

#include <cmath>

#include "models/models.h"
#include "nn/init.h"
#include "tests/support/catch.h"

namespace ditto::apps {
namespace {

using testing::contains;

Embeddings make(const std::vector<float>& rows, int64_t width, const std::vector<int64_t>& labels,
                int64_t classes) {
  return {Tensor::from(rows, {static_cast<int64_t>(labels.size()), width}), labels, classes};
}

}  // namespace

TEST_CASE("embeddings: features of length 1, in the data set's order, without augmentation",
          "[embeddings]") {
  std::vector<uint8_t> pixels;
  for (int i = 0; i < 5 * 8 * 8 * 3; ++i) pixels.push_back(static_cast<uint8_t>(i * 37 % 251));
  const data::ImageDataset images("five", Tensor::from(pixels, {5, 8, 8, 3}),
                                  Tensor::from(std::vector<int64_t>{0, 1, 1, 0, 1}, {5}),
                                  {"a", "b"}, {{0.5f, 0.5f, 0.5f}, {0.25f, 0.25f, 0.25f}});
  const auto model = models::make_model("resnet20", {.image_size = 8, .num_classes = 2});
  nn::init(*model, 1);
  int64_t seen = 0;
  const Embeddings all = embed(*model, images, 2, [&](int64_t n) { seen += n; });
  CHECK(seen == 5);
  CHECK(model->training());
  CHECK(all.labels == std::vector<int64_t>{0, 1, 1, 0, 1});
  CHECK(all.classes == 2);
  REQUIRE(all.rows.shape() == Shape{5, 64});
  const auto values = all.rows.to_vector<float>();
  for (int row = 0; row < 5; ++row) {
    double squares = 0;
    for (int i = 0; i < 64; ++i) squares += double(values[row * 64 + i]) * values[row * 64 + i];
    CHECK(squares == Approx(1).epsilon(1e-5));
  }
  CHECK(embed(*model, images, 5).rows.to_vector<float>() == values);
}

TEST_CASE("embeddings: the vote of the nearest neighbours", "[embeddings]") {
  // On the unit circle: class 0 near 0 degrees, class 1 near 90, one outlier of class 1 at 5.
  const auto at = [](std::vector<double> degrees) {
    std::vector<float> rows;
    for (double a : degrees) {
      rows.push_back(static_cast<float>(std::cos(a * M_PI / 180)));
      rows.push_back(static_cast<float>(std::sin(a * M_PI / 180)));
    }
    return rows;
  };
  const Embeddings bank = make(at({0, 2, 10, 90, 85, 5}), 2, {0, 0, 0, 1, 1, 1}, 2);
  const Embeddings queries = make(at({5, 88, 1}), 2, {0, 1, 1}, 2);
  CHECK(knn_accuracy(bank, queries, {.neighbours = 1}) == Approx(1 / 3.0));  // the outlier wins
  CHECK(knn_accuracy(bank, queries, {.neighbours = 4}) == Approx(2 / 3.0));
  CHECK(knn_accuracy(bank, queries, {.neighbours = 100}) == Approx(2 / 3.0));  // all six
  // A low temperature leaves the vote to the nearest one.
  CHECK(knn_accuracy(bank, queries, {.neighbours = 6, .temperature = 1e-3}) == Approx(1 / 3.0));
  // Equal votes go to class 0.
  const Embeddings twins = make(at({40, 40}), 2, {1, 0}, 2);
  CHECK(knn_accuracy(twins, queries) == Approx(1 / 3.0));
  CHECK_THROWS_WITH(knn_accuracy(bank, queries, {.neighbours = 0}), contains("[knn]"));
  CHECK_THROWS_WITH(knn_accuracy(Embeddings(), queries), contains("[knn]"));
}

TEST_CASE("embeddings: isotropy is 1 for directions used alike, and falls for one direction",
          "[embeddings]") {
  CHECK(isotropy_score(make({1, 0, -1, 0, 0, 1, 0, -1}, 2, {0, 0, 1, 1}, 2)) ==
        Approx(1).epsilon(1e-12));
  // Two equal vectors: V^T V has the eigenvectors (1, 0) and (0, 1), with sums 2e, 2/e, 2 and 2.
  CHECK(isotropy_score(make({1, 0, 1, 0}, 2, {0, 1}, 2)) == Approx(std::exp(-2)).epsilon(1e-12));
}

TEST_CASE("embeddings: shares of pairs by similarity", "[embeddings]") {
  const Embeddings three = make({1, 0, 1, 0, -1, 0}, 2, {0, 0, 1}, 2);
  const SimilarityHistogram all = similarity_histogram(three, 4);
  CHECK(all.positive == std::vector<double>{0, 0, 0, 1});
  CHECK(all.negative == std::vector<double>{1, 0, 0, 0});
  CHECK(all.positive_mean == 1);
  CHECK(all.negative_mean == -1);
  // Two of the three: images 0 and 1, of one class.
  CHECK(std::isnan(similarity_histogram(three, 4, 2).negative_mean));
  const Figure figure = similarity_figure({{"cce", all}});
  CHECK(figure.name == "similarities");
  CHECK_THAT(figure.svg, contains("same class") && contains("different classes"));
}

}  // namespace ditto::apps
