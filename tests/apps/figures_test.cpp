#include "apps/classification/figures.h"

#include <cmath>

#include "apps/common/heat_map.h"
#include "tests/apps/markup.h"
#include "tests/support/catch.h"

namespace ditto::apps {
namespace {

using testing::contains;
using testing::count;
using testing::markup_problem;

// Ten images of class 0 (eight right, two taken for 1) and five of class 1 (all right), none of 2.
NamedEvaluation three_classes() {
  Predictions p{.classes = 3, .probabilities = {}, .labels = {}};
  for (int i = 0; i < 15; ++i) {
    const bool one = i >= 8;
    for (double v : {one ? 0.1 : 0.8, one ? 0.8 : 0.1, 0.1}) p.probabilities.push_back(v);
    p.labels.push_back(i < 10 ? 0 : 1);
  }
  return {"cce", evaluate_predictions(p)};
}

// `classes` classes with three images each; every third is taken for the next class.
NamedEvaluation many_classes(int64_t classes) {
  Predictions p{.classes = classes, .probabilities = {}, .labels = {}};
  for (int64_t i = 0; i < 3 * classes; ++i) {
    const int64_t label = i / 3, predicted = i % 3 == 0 ? (label + 1) % classes : label;
    for (int64_t k = 0; k < classes; ++k)
      p.probabilities.push_back(k == predicted ? 0.7 : 0.3 / double(classes - 1));
    p.labels.push_back(label);
  }
  return {"t-cce", evaluate_predictions(p)};
}

std::vector<std::string> names(int64_t n) {
  std::vector<std::string> out;
  for (int64_t k = 0; k < n; ++k) out.push_back("class <" + std::to_string(k) + "> & co");
  return out;
}

}  // namespace

TEST_CASE("figures: the confusion matrix shows counts, shares and the worst pairs", "[apps]") {
  const Figure figure = confusion_figure(three_classes(), {"cat", "dog", "a <b>"});
  CHECK(figure.name == "confusion_cce");
  CHECK_FALSE(figure.wide);
  CHECK(markup_problem(figure.svg) == "");
  for (const char* part :
       {">8</text>", ">2</text>", ">5</text>", "a &lt;b&gt;",
        "cat predicted as dog: 2 images, 20.0 %", "dog predicted as dog: 5 images, 100.0 %"})
    CHECK_THAT(figure.svg, contains(part));
  CHECK(count(figure.svg, "images, ") == 3);  // nothing is drawn for pairs that never occur
  CHECK_THAT(figure.caption, contains("cat taken for dog (20.0 %)"));
  CHECK_THROWS_WITH(confusion_figure(three_classes(), {"cat"}), contains("1 class names for 3"));
}

TEST_CASE("figures: a hundred classes stay readable", "[apps]") {
  const NamedEvaluation named = many_classes(100);
  const Figure figure = confusion_figure(named, names(100));
  CHECK(figure.wide);
  CHECK(markup_problem(figure.svg) == "");
  CHECK(count(figure.svg, " images, ") == 200);
  CHECK(count(figure.svg, ">class &lt;7&gt; &amp; co</text>") == 2);  // a row and a column
  CHECK(figure.svg.find(">2</text>") == std::string::npos);           // no numbers in small cells
  const Figure bars = class_accuracy_figure({named}, names(100));
  CHECK(markup_problem(bars.svg) == "");
  CHECK(count(bars.svg, "66.7 % of 3 images") == 100);
}

TEST_CASE("figures: accuracy of each class, a bar for each run", "[apps]") {
  NamedEvaluation other = three_classes();
  other.run = "t-cce";
  const Figure figure = class_accuracy_figure({three_classes(), other}, {"cat", "dog", "cow"});
  CHECK(markup_problem(figure.svg) == "");
  CHECK_THAT(figure.svg, contains("cce, cat: 80.0 % of 10 images"));
  CHECK_THAT(figure.svg, contains("t-cce, dog: 100.0 % of 5 images"));
  CHECK(figure.svg.find(", cow:") == std::string::npos);  // has no images
  CHECK(count(figure.svg, ">80.0</text>") == 2);
  // The lengths of the bars are in the ratio of the accuracies.
  const auto width = [&](const std::string& tooltip) {
    const size_t rect = figure.svg.rfind("width=\"", figure.svg.find(tooltip));
    return std::stod(figure.svg.substr(rect + 7));
  };
  CHECK(width("cce, cat: 80.0") == Approx(0.8 * width("cce, dog: 100.0")).epsilon(1e-3));
}

TEST_CASE("figures: the reliability diagram shows bins, counts and ECE", "[apps]") {
  const Figure figure = calibration_figure(three_classes());
  CHECK(figure.name == "calibration_cce");
  CHECK(markup_problem(figure.svg) == "");
  // All confidences are 0.8, 13 of 15 right: one bin, (0.733, 0.8].
  CHECK_THAT(figure.svg, contains("confidence 73.3 % to 80.0 %: 15 images, mean confidence 80.0 %, "
                                  "accuracy 86.7 %"));
  CHECK(count(figure.svg, "<title>confidence") == 3);
  CHECK_THAT(figure.svg, contains(">15</text>"));
  CHECK_THAT(figure.svg, contains("ECE 6.7 %, NLL 0.500"));
}

TEST_CASE("figures: probabilities of the views that agree least", "[apps]") {
  ViewSet set{.images = 2,
              .views = 2,
              .inputs = Tensor::zeros({4, 4, 4, 3}),
              .pictures = Tensor::zeros({4, 4, 4, 3}, Dtype::U8)};
  const auto run = [](const std::string& name, std::vector<double> p) {
    ViewPredictions predictions{
        .views = 2, .classes = 2, .probabilities = std::move(p), .divergence = {}};
    for (int64_t i = 0; i < 2; ++i)
      predictions.divergence.push_back(view_divergence(predictions.of_image(i), 2));
    return NamedViews{name, predictions};
  };
  const Figure figure = views_figure({run("cce", {0.9, 0.1, 0.9, 0.1, 0.8, 0.2, 0.4, 0.6}),
                                      run("t-cce", {0.9, 0.1, 0.9, 0.1, 0.7, 0.3, 0.65, 0.35})},
                                     set, {0, 1}, {"cat", "dog"});
  CHECK(markup_problem(figure.svg) == "");
  CHECK(figure.wide);
  CHECK(count(figure.svg, "<image ") == 4);
  CHECK(count(figure.svg, "data:image/png;base64,") == 4);
  CHECK_THAT(figure.svg, contains("of one image (dog)"));  // the second one
  CHECK_THAT(figure.svg, contains("view 2, dog: 60.0 %"));
  CHECK_THAT(figure.svg, contains(">0.65</text>"));
  CHECK(figure.svg.find(">0.90</text>") == std::string::npos);
  // Mean 0.6, 0.4: (0.6 ln(0.6/0.8) + 0.4 ln(0.4/0.2) + 0.6 ln(0.6/0.4) + 0.4 ln(0.4/0.6)) / 2
  const double kl = (0.6 * std::log(0.6 / 0.8) + 0.4 * std::log(2.0) + 0.6 * std::log(1.5) +
                     0.4 * std::log(2.0 / 3)) /
                    2;
  CHECK(view_divergence(std::vector<double>{0.8, 0.2, 0.4, 0.6}, 2) == Approx(kl));
  CHECK(view_divergence(std::vector<double>{0.5, 0.5, 0.5, 0.5}, 2) == Approx(0).margin(1e-12));
  CHECK(std::isfinite(view_divergence(std::vector<double>{1, 0, 0, 1}, 2)));
  CHECK_THAT(figure.caption, contains("cce 0.0464, t-cce"));
}

TEST_CASE("figures: of many classes the probable ones and the true one are shown", "[apps]") {
  ViewSet set{.images = 1,
              .views = 1,
              .inputs = Tensor::zeros({1, 4, 4, 1}),
              .pictures = Tensor::zeros({1, 4, 4, 1}, Dtype::U8)};
  ViewPredictions predictions{.views = 1, .classes = 30, .probabilities = {}, .divergence = {0}};
  for (int k = 0; k < 30; ++k) predictions.probabilities.push_back((k + 1) / 465.0);
  const Figure figure = views_figure({{"cce", predictions}}, set, {3}, names(30));
  CHECK(markup_problem(figure.svg) == "");
  CHECK_THAT(figure.svg, contains("\u25b8 class &lt;3&gt;"));
  CHECK_THAT(figure.svg, contains(">class &lt;20&gt;"));
  CHECK(figure.svg.find(">class &lt;19&gt;") == std::string::npos);
}

TEST_CASE("heat maps: colours run from white to dark, cells must fill the grid", "[apps]") {
  CHECK(heat_colour(0, Hue::Blue) == "#ffffff");
  CHECK(heat_colour(0.65, Hue::Blue) == "#0072b2");
  CHECK(heat_colour(2, Hue::Orange) == heat_colour(1, Hue::Orange));
  SvgWriter svg(100, 100, "map");
  HeatMap map{.rows = {"a"}, .columns = {"b", "c"}, .cells = {{}}};
  CHECK_THROWS_WITH(draw_heat_map(svg, map, {0, 0}), contains("1 cells for 1 rows and 2 columns"));
}

}  // namespace ditto::apps
