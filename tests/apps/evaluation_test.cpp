#include "apps/classification/evaluation.h"

#include <cmath>

#include "autograd/ops.h"
#include "data/augment.h"
#include "models/models.h"
#include "nn/init.h"
#include "tests/support/catch.h"

namespace ditto::apps {
namespace {

Predictions hand_made() {
  // Three classes, five images. Highest probabilities and whether they are right:
  //   0.95 right, 0.85 wrong, 0.85 right, 0.5 right, 0.4 wrong.
  return {.classes = 3,
          .probabilities = {0.95, 0.03, 0.02,  //
                            0.10, 0.85, 0.05,  //
                            0.10, 0.85, 0.05,  //
                            0.30, 0.20, 0.50,  //
                            0.40, 0.35, 0.25},
          .labels = {0, 0, 1, 2, 2}};
}

// What the model sees is put out: the logits of an image are its first `classes` pixels.
class FirstPixels : public nn::Layer {
 public:
  explicit FirstPixels(int64_t classes) : classes_(classes) {}
  Tensor forward(const Tensor& x) override {
    return slice(reshape(x, {x.dim(0), x.numel() / x.dim(0)}), 1, 0, classes_).clone();
  }

 private:
  int64_t classes_;
};

}  // namespace

TEST_CASE("evaluation: accuracy, NLL and confusion of a hand-made case", "[apps]") {
  const Evaluation e = evaluate_predictions(hand_made());
  CHECK(e.images == 5);
  CHECK(e.top1 == Approx(3.0 / 5));
  CHECK(e.top5 == 1);  // three classes
  CHECK(e.nll == Approx(-(std::log(0.95) + std::log(0.10) + std::log(0.85) + std::log(0.50) +
                          std::log(0.25)) /
                        5));
  CHECK(e.confusion == std::vector<int64_t>{1, 1, 0,  //
                                            0, 1, 0,  //
                                            1, 0, 1});
  CHECK(e.class_images(2) == 2);
  CHECK(e.class_accuracy(0) == Approx(0.5));
  CHECK(e.class_accuracy(1) == Approx(1.0));
  CHECK(e.class_precision(0) == Approx(0.5));
  CHECK(e.class_precision(2) == Approx(1.0));
  CHECK(worst_confusions(e, 5) == std::vector<std::pair<int64_t, int64_t>>{{0, 1}, {2, 0}});
  CHECK(worst_confusions(e, 1).size() == 1);
}

TEST_CASE("evaluation: calibration bins and ECE of a hand-made case", "[apps]") {
  const Evaluation e = evaluate_predictions(hand_made(), 10);
  REQUIRE(e.bins.size() == 10);
  // A limit belongs to the bin below it: 0.4 to (0.3, 0.4], 0.5 to (0.4, 0.5].
  CHECK(e.bins[3].images == 1);
  CHECK(e.bins[3].accuracy == 0);
  CHECK(e.bins[4].images == 1);
  CHECK(e.bins[8].images == 2);
  CHECK(e.bins[8].confidence == Approx(0.85));
  CHECK(e.bins[8].accuracy == Approx(0.5));
  CHECK(e.bins[9].images == 1);
  // (1 |0 - 0.4| + 1 |1 - 0.5| + 2 |0.5 - 0.85| + 1 |1 - 0.95|) / 5
  CHECK(e.ece == Approx((0.4 + 0.5 + 2 * 0.35 + 0.05) / 5));
  CHECK(evaluate_predictions(hand_made(), 1).ece == Approx(std::abs(3.0 / 5 - 3.55 / 5)));
  CHECK(evaluate_predictions(hand_made()).bins.size() == 15);

  const Predictions certain{.classes = 2, .probabilities = {1, 0, 0, 1}, .labels = {0, 0}};
  const Evaluation sure = evaluate_predictions(certain);
  CHECK(sure.bins.back().images == 2);
  CHECK(sure.ece == Approx(0.5));
  CHECK(std::isfinite(sure.nll));
}

TEST_CASE("evaluation: top-5 and the order of equals", "[apps]") {
  Predictions p{.classes = 7,
                .probabilities = {0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05,  //
                                  0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05},
                .labels = {4, 5}};
  CHECK(p.top(0, 3) == std::vector<int64_t>{0, 1, 2});
  CHECK(p.top(0, 99).size() == 7);
  const Evaluation e = evaluate_predictions(p);
  CHECK(e.top1 == 0);
  CHECK(e.top5 == Approx(0.5));
  CHECK(std::isnan(e.class_accuracy(0)));
  p.labels[0] = 7;
  CHECK_THROWS_WITH(evaluate_predictions(p), testing::contains("label 7 of image 0"));
  CHECK_THROWS_AS(evaluate_predictions({}), Error);
}

TEST_CASE("evaluation: views are the image, its shifts and their mirror images", "[apps]") {
  const data::ChannelStatistics plain{{0}, {1}};
  const data::ImageDataset dataset(
      "one", Tensor::from(std::vector<uint8_t>{51, 102, 153, 204}, {1, 2, 2, 1}),
      Tensor::from(std::vector<int64_t>{0}, {1}), {"a", "b"}, plain);
  const auto pixels = [&](const TtaOptions& tta) {
    std::vector<std::vector<int>> out;
    Rng rng(1);
    for (const auto& view : tta_views(tta, data::make_augment({}, plain))) {
      out.emplace_back();
      for (const float v : view->draw(rng, dataset.info())
                               .apply(dataset.images().alias({2, 2, 1}, {2, 1, 1}, 0))
                               .to_vector<float>())
        out.back().push_back(static_cast<int>(std::lround(v * 5)));
    }
    return out;
  };
  using Views = std::vector<std::vector<int>>;
  CHECK(pixels({}) == Views{{1, 2, 3, 4}});
  CHECK(pixels({.views = {"mirror"}}) == Views{{1, 2, 3, 4}, {2, 1, 4, 3}});
  CHECK(pixels({.views = {"shift"}, .shift = 1}) ==
        Views{{1, 2, 3, 4}, {2, 0, 4, 0}, {0, 1, 0, 3}, {3, 4, 0, 0}, {0, 0, 1, 2}});
  CHECK(pixels({.views = {"shift", "mirror"}}).size() == 10);
  CHECK(TtaOptions{.views = {"mirror", "shift"}, .shift = 2}.text() ==
        "mirror, shift by 2 pixels: 10 views");
  CHECK(TtaOptions{}.text() == "none: 1 view");

  // The model's logits are the first two pixels; the probabilities are averaged, not the logits.
  FirstPixels model(2);
  const Predictions p = predict(model, dataset, {.views = {"mirror"}});
  const double one = 1 / (1 + std::exp(0.2));
  CHECK(p.row(0)[0] == Approx((one + (1 - one)) / 2));
  const Predictions single = predict(model, dataset);
  CHECK(single.row(0)[0] == Approx(one).epsilon(1e-6));
}

TEST_CASE("evaluation: predictions of a network agree with its softmax, in any batch", "[apps]") {
  Rng rng(5);
  std::vector<uint8_t> pixels(7 * 64);
  for (uint8_t& v : pixels) v = static_cast<uint8_t>(rng.below(256));
  const data::ImageDataset dataset("noise", Tensor::from(pixels, {7, 8, 8, 1}),
                                   Tensor::from(std::vector<int64_t>{0, 1, 2, 0, 1, 2, 0}, {7}),
                                   {"a", "b", "c"}, {{0.5f}, {0.25f}});
  auto model = models::make_model("mlp", {.image_size = 8, .in_channels = 1, .num_classes = 3});
  nn::init(*model, 1);
  model->train();
  int64_t seen = 0;
  const Predictions p = predict(*model, dataset, {}, 3, [&](int64_t n) { seen += n; });
  CHECK(seen == 7);
  CHECK(model->training());
  CHECK(p.labels == std::vector<int64_t>{0, 1, 2, 0, 1, 2, 0});
  std::vector<float> scaled;
  for (const uint8_t v : pixels) scaled.push_back((v / 255.0f - 0.5f) / 0.25f);
  NoGrad guard;
  const auto expected = softmax((*model)(Tensor::from(scaled, {7, 8, 8, 1}))).to_vector<float>();
  for (size_t i = 0; i < expected.size(); ++i)
    CHECK(p.probabilities[i] == Approx(expected[i]).margin(1e-6));

  model->parameters().back().detach().data<float>()[1] = NAN;
  CHECK_THROWS_WITH(predict(*model, dataset), testing::contains("[predict]"));
}

}  // namespace ditto::apps
