#include "losses/pair_losses.h"

#include "autograd/ops/index_select.h"
#include "core/storage.h"
#include "losses/supcon.h"
#include "losses/tcl.h"
#include "tests/losses/pair_checks.h"

namespace ditto::testing {
namespace {

using namespace losses;

Tensor random_like_rows(int64_t n, int64_t d) {
  std::vector<float> values(static_cast<size_t>(n * d));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((i * 2654435761u >> 7) % 1000) / 500 - 1;
  return Tensor::from(values, {n, d});
}

}  // namespace

TEST_CASE("pair losses: every name makes a loss with a gradient", "[losses]") {
  for (const std::string& name : pair_loss_names()) {
    INFO(name);
    Tensor z = random_like_rows(12, 5);
    z.set_requires_grad(true);
    const Tensor labels = labels_of({0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2});
    const PairLoss result = make_pair_loss(name)(z, labels, view_ids(6, 2, kCpu));
    CHECK(std::isfinite(result.loss.item()));
    result.loss.backward();
    double moved = 0;
    for (double g : z.grad().to_vector<double>()) moved += std::fabs(g);
    CHECK(moved > 0);
    // Losses without supervision do not look at the labels.
    if (!uses_labels(name))
      CHECK(make_pair_loss(name)(z, labels_of(std::vector<int64_t>(12)), view_ids(6, 2, kCpu))
                .loss.item() == result.loss.item());
  }
  CHECK_THROWS_WITH(make_pair_loss("nope"), contains("nope") && contains("supcon"));
}

TEST_CASE("pair losses: options reach the loss", "[losses]") {
  const Tensor z = random_like_rows(12, 5), y = labels_of({0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 7}),
               samples = view_ids(6, 2, kCpu);
  CHECK(make_pair_loss("supcon", {{"temperature", 0.3}})(z, y, samples).loss.item() ==
        supcon(z, y, {.temperature = 0.3}).loss.item());
  CHECK(make_pair_loss("tcl", {{"k1", 3}, {"k2", 4}})(z, y, samples).loss.item() ==
        tcl(z, y, {.k1 = 3, .k2 = 4}).loss.item());
  for (const std::string& name : pair_loss_names()) {
    INFO(name);
    CHECK_THROWS_WITH(make_pair_loss(name, {{"no-such", 1}}),
                      contains("'no-such'") && contains(pair_loss_options(name)[0].name));
    // Each changes the loss.
    const double before = make_pair_loss(name)(z, y, samples).loss.item();
    for (const LossOption& option : pair_loss_options(name)) {
      INFO(option.name);
      CHECK(make_pair_loss(name, {{option.name, option.value + 1.5}})(z, y, samples).loss.item() !=
            before);
    }
  }
}

TEST_CASE("pair losses: views are told by their ids, in any order of the rows", "[losses]") {
  const Tensor z = random_like_rows(12, 5), y = labels_of(std::vector<int64_t>(12));
  std::vector<int64_t> order, ids;
  for (int64_t sample = 0; sample < 6; ++sample)
    for (int64_t view = 0; view < 2; ++view) {
      order.push_back(view * 6 + sample);
      ids.push_back(10 * sample);
    }
  const Tensor mixed = index_select(z, labels_of(order));
  for (const char* name : {"nt-xent", "tcl-self", "mv-info-nce", "mv-dhel"}) {
    INFO(name);
    CHECK(make_pair_loss(name)(mixed, y, labels_of(ids)).loss.item() ==
          Approx(make_pair_loss(name)(z, y, view_ids(6, 2, kCpu)).loss.item()).epsilon(1e-5));
  }
  ids[1] = 7;
  CHECK_THROWS_WITH(make_pair_loss("mv-dhel")(mixed, y, labels_of(ids)), contains("views"));
}

TEST_CASE("pair losses: memory grows with the number of rows, not with its square", "[losses]") {
  const auto peak = [](int64_t n) {
    Tensor z = random_like_rows(n, 16), labels = Tensor::zeros({n}, Dtype::I64);
    z.set_requires_grad(true);
    reset_peak_memory();
    const int64_t before = memory_stats().current;
    supcon(z, labels).loss.backward();
    return memory_stats().peak - before;
  };
  // Beyond the tile every row costs its gradient, the normalised row, its loss and its numbers.
  const int64_t small = peak(2048), large = peak(8192);
  CHECK(large < 2 * kernels::kPairTileBytes);
  CHECK(large - small < 6 * (8192 - 2048) * 16 * 8);
}

}  // namespace ditto::testing
