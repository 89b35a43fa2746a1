#include "losses/multi_similarity.h"

#include "autograd/ops.h"
#include "tests/losses/pair_checks.h"

namespace ditto::testing {
namespace {

using namespace losses;

const Tensor kLabels = labels_of(kEmbeddingLabels);

MultiSimilarityOptions with(double beta,
                            PairOptions common = {.normalize = false,
                                                  .no_positive = NoPositive::MeanAll}) {
  return {.beta = beta, .common = common};
}

}  // namespace

TEST_CASE("multi_similarity: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    check_vector("MS", 0, 2, shared_unit_rows(dtype),
                 [](const Tensor& z) { return multi_similarity(z, kLabels, with(40)).loss; });
    check_values("MS", 3, multi_similarity(shared_unit_rows(dtype), kLabels, with(50)).loss);
  }
}

TEST_CASE("multi_similarity: only mined pairs have a gradient", "[losses]") {
  // The sheet mines for anchor 0 positives 1 and 4 and negative 2, but not 3 and 5.
  Tensor z = shared_unit_rows(Dtype::F64).clone();
  z.set_requires_grad(true);
  const PairLoss result =
      multi_similarity(z, kLabels, with(40, {.normalize = false, .reduction = Reduction::None}));
  CHECK(result.valid.item() == 4);  // anchors 4 and 5 have nothing mined
  slice(result.loss, 0, 0, 1).backward(Tensor::ones({1}, Dtype::F64));
  const auto g = z.grad().to_vector<double>();
  for (size_t row : {1, 2, 4}) CHECK(g[row * 3] != 0);
  for (size_t row : {3, 5})
    for (size_t c = 0; c < 3; ++c) CHECK(g[row * 3 + c] == 0);
}

TEST_CASE("multi_similarity: the mined pairs are those of the reference sheet", "[losses]") {
  // What has a gradient in each anchor's row: positives, then negatives; NaN where nothing is
  // mined.
  std::vector<double> mined;
  for (int64_t anchor = 0; anchor < 6; ++anchor) {
    Tensor z = shared_unit_rows(Dtype::F64).clone();
    z.set_requires_grad(true);
    const PairLoss rows =
        multi_similarity(z, kLabels, with(40, {.normalize = false, .reduction = Reduction::None}));
    slice(rows.loss, 0, anchor, anchor + 1).backward(Tensor::ones({1}, Dtype::F64));
    const auto g = z.grad().to_vector<double>();
    const size_t before = mined.size();
    for (const bool positive : {true, false})
      for (int64_t j = 0; j < 6; ++j) {
        const size_t at = size_t(j) * 3;
        const bool alike = kEmbeddingLabels[size_t(j)] == kEmbeddingLabels[size_t(anchor)];
        if (j != anchor && alike == positive && (g[at] != 0 || g[at + 1] != 0 || g[at + 2] != 0))
          mined.push_back(double(j));
      }
    if (mined.size() == before) mined.push_back(NAN);
  }
  const std::vector<double> expected = {1, 4, 2, 0, 4, 2, 3, 3,   0,  1,
                                        4, 5, 2, 0, 1, 4, 5, NAN, NAN};  // entry 1, a text
  REQUIRE(mined.size() == expected.size());
  for (size_t i = 0; i < mined.size(); ++i) {
    INFO(i);
    CHECK((mined[i] == expected[i] || (std::isnan(mined[i]) && std::isnan(expected[i]))));
  }
}

TEST_CASE("multi_similarity: near-duplicates are pairs, and no anchor fails", "[losses]") {
  // The authors' code takes every s > 1 - 1e-5 for the row itself: two equal rows of different
  // classes, the hardest negatives there are, would be skipped.
  const Tensor z = matrix({{1, 0}, {1, 0}, {0, 1}, {0, 1}}, Dtype::F64);
  const PairLoss result = multi_similarity(z, labels_of({0, 1, 0, 1}));
  CHECK(result.valid.item() == 4);
  CHECK(result.loss.item() > 0.4);
  // It fails on min() of nothing when an anchor has no positive, and returns a tensor without a
  // graph when nothing is mined.
  Tensor alone = matrix({{1, 0}, {0, 1}}, Dtype::F64);
  alone.set_requires_grad(true);
  const PairLoss none = multi_similarity(alone, labels_of({0, 1}));
  CHECK(none.loss.item() == 0);
  none.loss.backward();
  for (double g : alone.grad().to_vector<double>()) CHECK(g == 0);
}

TEST_CASE("multi_similarity: finite for every finite input", "[losses]") {
  check_always_finite([](const Tensor& z, const Tensor& labels, bool normalize) {
    return multi_similarity(z, labels, {.common = {.normalize = normalize}});
  });
}

}  // namespace ditto::testing
