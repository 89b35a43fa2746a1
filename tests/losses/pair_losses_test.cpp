#include "losses/pair_losses.h"

#include <set>

#include "autograd/ops.h"
#include "core/storage.h"
#include "losses/info_nce.h"
#include "losses/mw.h"
#include "losses/robust_contrastive.h"
#include "losses/supcon.h"
#include "losses/tcl.h"
#include "losses/triplet.h"
#include "nn/init.h"
#include "tests/losses/pair_checks.h"
#include "tests/support/small_pair_tiles.h"

namespace ditto::testing {
namespace {

using namespace losses;

Tensor random_like_rows(int64_t n, int64_t d) {
  std::vector<float> values(static_cast<size_t>(n * d));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((i * 2654435761u >> 7) % 1000) / 500 - 1;
  return Tensor::from(values, {n, d});
}

// What the loss keeps in a training of 16 images of 8 classes; null for most.
std::unique_ptr<nn::Module> state_of(const std::string& name, int64_t width,
                                     const std::map<std::string, double>& options = {}) {
  auto state = make_pair_loss_state(
      name, {.samples = 16, .embeddings = width, .class_counts = std::vector<int64_t>(8, 2)},
      options);
  if (state) nn::init(*state, 5);
  return state;
}

// The loss by name in the second step on the same images: what it keeps has moved by then.
Tensor second_step(const std::string& name, const std::map<std::string, double>& options,
                   const Tensor& z, const Tensor& labels, const Tensor& samples) {
  const auto state = state_of(name, z.dim(1), options);
  const PairLossByName loss = make_pair_loss(name, options);
  StepContext context(samples, state.get());
  loss((z * z).detach(), labels, context);
  ++context.step;
  return loss(z, labels, context).loss;
}

}  // namespace

TEST_CASE("pair losses: every name makes a loss with a gradient", "[losses]") {
  for (const std::string& name : pair_loss_names()) {
    INFO(name);
    Tensor z = random_like_rows(12, 5);
    z.set_requires_grad(true);
    const Tensor labels = labels_of({0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2});
    const Tensor loss = second_step(name, {}, z, labels, view_ids(6, 2, kCpu));
    CHECK(std::isfinite(loss.item()));
    loss.backward();
    double moved = 0;
    for (double g : z.grad().to_vector<double>()) moved += std::fabs(g);
    CHECK(moved > 0);
    // Losses without supervision do not look at the labels.
    if (!uses_labels(name))
      CHECK(second_step(name, {}, z, labels_of(std::vector<int64_t>(12)), view_ids(6, 2, kCpu))
                .item() == loss.item());
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
    const double before = second_step(name, {}, z, y, samples).item();
    for (const LossOption& option : pair_loss_options(name)) {
      INFO(option.name);
      double other = option.value + 1.5;
      if (option.name == "k" || option.name == "heads" || option.name == "pairs") other = 2;
      if (option.name == "fraction") other = 0.7;
      // Of what moves, for which see below.
      if (option.name == "min_temperature" || option.name == "rate" || option.name == "gamma")
        continue;
      CHECK(second_step(name, {{option.name, other}}, z, y, samples).item() != before);
    }
  }
}

TEST_CASE("pair losses: those with a state of their own, by name", "[losses]") {
  const Tensor z = random_like_rows(12, 5), y = labels_of({0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 7}),
               samples = view_ids(6, 2, kCpu);
  // Individual temperatures start at the largest and stay within the bounds.
  const std::map<std::string, double> bounds = {
      {"min_temperature", 0.2}, {"max_temperature", 0.4}, {"rate", 0.1}, {"radius", 3}};
  const auto state = state_of("robust-contrastive", 5, bounds);
  const PairLossByName loss = make_pair_loss("robust-contrastive", bounds);
  const auto& temperatures = dynamic_cast<RobustContrastiveLoss&>(*state).temperatures();
  for (double t : temperatures.to_vector<double>()) CHECK(t == Approx(0.4));
  for (int step = 0; step < 50; ++step) loss(z, y, {samples, state.get()});
  const auto tau = temperatures.to_vector<double>();
  for (size_t id = 0; id < tau.size(); ++id) {
    // The radius is more than any divergence of 10 negatives: those that are seen fall to the
    // bound.
    CHECK(tau[id] == (id < 6 ? 0.2f : 0.4f));
  }
  // gamma weighs the batch in the mean that the gradient divides by.
  std::vector<std::vector<double>> gradients;
  for (const double gamma : {0.9, 0.5}) {
    Tensor x = z.clone();
    x.set_requires_grad(true);
    second_step("robust-contrastive", {{"gamma", gamma}}, x, y, samples).backward();
    gradients.push_back(x.grad().to_vector<double>());
  }
  CHECK(gradients[0] != gradients[1]);
  CHECK_THROWS_WITH(state_of("robust-contrastive", 5, {{"gamma", 0}}), contains("gamma"));
  CHECK_THROWS_WITH(state_of("robust-contrastive", 5, {{"min_temperature", 1}}),
                    contains("temperatures"));

  for (const char* option : {"radius", "rate"})
    CHECK_THROWS_WITH(state_of("robust-contrastive", 5, {{option, -1}}), contains("rate"));

  // The heads of AMCL and the gates of Hydra learn.
  for (const char* name : {"amcl", "hydra"}) {
    INFO(name);
    const auto learned = state_of(name, 5);
    make_pair_loss(name)(z, y, {samples, learned.get()}).loss.backward();
    for (const nn::NamedParameter& p : learned->named_parameters()) {
      INFO(p.name);
      REQUIRE(p.tensor.grad().defined());
      double sum = 0;
      for (double g : p.tensor.grad().to_vector<double>()) sum += std::fabs(g);
      CHECK(sum > 0);
    }
  }
  // A few of many pairs of classes, others in another step.
  const auto gates = state_of("hydra", 5);
  const PairLossByName one = make_pair_loss("hydra", {{"pairs", 1}});
  std::set<double> values;
  for (uint64_t step = 0; step < 8; ++step) {
    StepContext context(samples, gates.get());
    context.step = step;
    const double value = one(z, y, context).loss.item();
    CHECK(one(z, y, context).loss.item() == value);
    values.insert(value);
  }
  CHECK(values.size() > 1);
  for (const char* name : {"robust-contrastive", "amcl", "hydra"})
    CHECK_THROWS_WITH(make_pair_loss(name)(z, y, samples), contains("state"));
  CHECK_THROWS_WITH(make_pair_loss("hydra", {{"pairs", 0}}), contains("pair"));
  CHECK_THROWS_WITH(state_of("amcl", 5, {{"heads", 0}}), contains("head"));
  CHECK_THROWS_WITH(second_step("amcl", {{"beta", -1}}, z, y, samples), contains("beta"));
  CHECK_THROWS_WITH(make_pair_loss("icnn", {{"k", 1.5}}), contains("whole"));
}

TEST_CASE("pair losses: batches as episodes and as rankings of views", "[losses]") {
  const Tensor z = random_like_rows(12, 5), samples = view_ids(6, 2, kCpu);
  // Images 0, 1, 2 and 3, 4 of class 0 and 1: 0 and 2, and 3 are support; 5 is a class of its own.
  const Tensor y = labels_of({0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 1, 2});
  const Tensor support = labels_of({0, 2, 3, 5, 6, 8, 9, 11}), query = labels_of({1, 4, 7, 10});
  CHECK(make_pair_loss("proto-triplet", {{"margin", 2}})(z, y, samples).loss.item() ==
        Approx(proto_triplet(index_select(z, support), index_select(y, support),
                             index_select(z, query), index_select(y, query), {.margin = 2})
                   .loss.item()));
  // Every class has one image: nothing to ask.
  const PairLoss none =
      make_pair_loss("proto-triplet")(z, labels_of({0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5}), samples);
  CHECK(none.loss.item() == 0);
  CHECK(none.valid.item() == 0);

  const Tensor unit = l2_normalize(z);
  const auto scores = [&](int64_t rows, int64_t a, int64_t b) {
    return matmul(slice(unit, 0, a * rows, (a + 1) * rows),
                  transpose(slice(unit, 0, b * rows, (b + 1) * rows), 0, 1));
  };
  const MwOptions options{.temperature = 0.3};
  CHECK(make_pair_loss("mw", {{"temperature", 0.3}})(z, y, samples).loss.item() ==
        Approx(mw_loss_in_batch(scores(6, 0, 1), options).item()));
  const double three = mw_loss_in_batch(scores(4, 0, 1), options).item() +
                       mw_loss_in_batch(scores(4, 0, 2), options).item() +
                       mw_loss_in_batch(scores(4, 1, 2), options).item();
  CHECK(make_pair_loss("mw", {{"temperature", 0.3}})(z, y, view_ids(4, 3, kCpu)).loss.item() ==
        Approx(three / 3));
  const Tensor first = slice(z, 0, 0, 6), second = slice(z, 0, 6, 12);
  CHECK(make_pair_loss("info-nce", {{"temperature", 0.3}})(z, y, samples).loss.item() ==
        Approx((info_nce(first, second, {.temperature = 0.3}).loss.item() +
                info_nce(second, first, {.temperature = 0.3}).loss.item()) /
               2));
  CHECK(make_pair_loss("hard-contrastive", {{"fraction", 0.4}})(z, y, samples).loss.item() ==
        Approx((hard_contrastive(first, second, {.fraction = 0.4}).loss.item() +
                hard_contrastive(second, first, {.fraction = 0.4}).loss.item()) /
               2));
  CHECK(make_pair_loss("simple-contrastive", {{"lambda", 0.4}})(z, y, samples).loss.item() ==
        Approx((simple_contrastive(first, second, {.lambda = 0.4}).loss.item() +
                simple_contrastive(second, first, {.lambda = 0.4}).loss.item()) /
               2));
  // One view has no positives.
  CHECK(make_pair_loss("mw")(z, y, view_ids(12, 1, kCpu)).loss.item() == 0);
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
  // Small tiles, beside which a number for each of 384 x 384 pairs would be most of the memory.
  const SmallPairTiles tiles(int64_t{8} << 10);
  constexpr int64_t kWidth = 8, kFew = 96, kMany = 4 * kFew;
  for (const std::string& name : pair_loss_names()) {
    INFO(name);
    const auto peak = [&](int64_t n) {
      Tensor z = random_like_rows(n, kWidth);
      z.set_requires_grad(true);
      std::vector<int64_t> labels;
      for (int64_t i = 0; i < n; ++i) labels.push_back(i % (n / 2) % 8);
      const auto state = make_pair_loss_state(
          name, {.samples = n / 2, .embeddings = kWidth, .class_counts = {8, 8, 8, 8, 8, 8, 8, 8}});
      if (state) nn::init(*state, 5);
      const Tensor y = labels_of(labels), samples = view_ids(n / 2, 2, kCpu);
      reset_peak_memory();
      const int64_t before = memory_stats().current;
      make_pair_loss(name)(z, y, {samples, state.get()}).loss.backward();
      return memory_stats().peak - before;
    };
    const int64_t few = peak(kFew), many = peak(kMany);
    CHECK(many < 4.2 * static_cast<double>(few));  // blocks have an eighth of slack
  }
}

}  // namespace ditto::testing
