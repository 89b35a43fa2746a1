#include "losses/losses.h"

#include <cmath>

#include "autograd/ops.h"
#include "losses/any_loss.h"
#include "losses/comp_sum.h"
#include "losses/cross_entropy.h"
#include "losses/decoupled.h"
#include "losses/distillation.h"
#include "losses/ens_loss.h"
#include "losses/focal.h"
#include "losses/large_margin_softmax.h"
#include "losses/ldr.h"
#include "losses/nce.h"
#include "losses/unpg.h"
#include "losses/z_loss.h"
#include "tests/support/catch.h"
#include "tests/support/classifier_output.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using namespace losses;

namespace {
Tensor labels() { return testing::labels_of({0, 0, 2, 2}); }
Tensor groups() { return testing::labels_of({7, 7, 3, 3}); }
// Its default of 5 classes is more than the tests have.
LossConfig with_small_k(const std::string& name, LossConfig config = {}) {
  if (name.find("soft-top-k") != std::string::npos) config.options["k"] = 1;
  return config;
}
// The loss by name of the first step of a training.
Tensor first_step(const std::string& name, const LossConfig& config, const Tensor& x,
                  const Tensor& target, const Tensor& ids) {
  const auto state = testing::loss_state(name, x, config.options);
  return make_loss(name, config)(testing::classifier_output(name, x, config.options), target,
                                 {ids, state.get()});
}
}  // namespace

TEST_CASE("losses: every loss and T of it by name, from labels and from soft targets", "[losses]") {
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const std::string& name : loss_names()) {
      INFO(name << " " << to_string(dtype));
      const LossConfig config = with_small_k(name);
      for (const bool soft : {false, true}) {
        if (soft && !takes_soft_targets(name)) continue;
        for (double scale : {1.0, 1e4, -1e4, 0.0}) {
          Tensor z = (testing::shared_logits(dtype) * scale).detach();
          z.set_requires_grad(true);
          const Tensor value =
              first_step(name, config, z, soft ? one_hot(labels(), 3, dtype) : labels(), groups());
          REQUIRE(value.rank() == 0);
          value.backward();
          CHECK(std::isfinite(value.item()));
          for (double g : z.grad().to_vector<double>()) CHECK(std::isfinite(g));
        }
      }
      if (name.find("soft-top-k") != std::string::npos) continue;  // needs more classes than k
      // One row, one class.
      Tensor z = Tensor::full({1, 1}, 2.5, dtype);
      z.set_requires_grad(true);
      const Tensor value =
          first_step(name, config, z, testing::labels_of({0}), testing::labels_of({9}));
      value.backward();
      CHECK(std::isfinite(value.item()));
      CHECK(std::isfinite(z.grad().to_vector<double>()[0]));
    }
}

TEST_CASE("losses: hard labels and their one-hot rows give the same", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64), y = one_hot(labels(), 3, Dtype::F64);
  for (const std::string& name : loss_names()) {
    if (!takes_soft_targets(name)) continue;
    INFO(name);
    const LossConfig config = with_small_k(name);
    CHECK(first_step(name, config, z, y, groups()).item() ==
          Approx(first_step(name, config, z, labels(), groups()).item()).epsilon(1e-13));
  }
}

TEST_CASE("losses: T(L) is L plus rho times the mean KL, for each L", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64);
  for (const std::string& name : loss_names()) {
    if (uses_groups(name)) continue;
    INFO(name);
    const ClassifierOutput out = testing::classifier_output(name, z);
    const double kl = mean(group_kl(out.logits, groups())).item();
    const double plain = first_step(name, with_small_k(name), z, labels(), groups()).item();
    const auto transformed = [&](double rho) {
      return first_step("t-" + name, with_small_k(name, {.rho = rho}), z, labels(), groups());
    };
    CHECK(transformed(0.3).item() == Approx(plain + 0.3 * kl).epsilon(1e-13));
    CHECK(transformed(0).item() == plain);
  }
}

TEST_CASE("losses: t-cce is loss_transform", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64);
  const Tensor y =
      testing::matrix({{.7, .3, 0}, {.1, .8, .1}, {0, .25, .75}, {.5, 0, .5}}, Dtype::F64);
  for (const char* mixing : {"d1", "d2", "d3", "d4"}) {
    const LossConfig config{.label_smoothing = 0.1, .rho = 0.5, .mixing = group_mixing(mixing)};
    CHECK(make_loss("t-cce", config)(z, y, groups()).item() ==
          loss_transform(z, y, groups(),
                         {.rho = 0.5, .mixing = group_mixing(mixing), .label_smoothing = 0.1})
              .item());
  }
}

TEST_CASE("losses: options by name reach the loss", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64), none;
  const auto value = [&](const std::string& name, std::map<std::string, double> options) {
    return make_loss(name, {.options = std::move(options)})(z, labels(), none).item();
  };
  CHECK(value("comp-sum", {{"tau", 2}}) == comp_sum(z, labels(), {.tau = 2}).item());
  CHECK(value("gce", {{"q", 0.3}, {"truncation", 0.5}}) ==
        generalized_cross_entropy(z, labels(), {.q = 0.3, .truncation = 0.5}).item());
  CHECK(value("mae", {{"scale", 2}}) == comp_sum(z, labels(), {.tau = 2, .scale = 2}).item());
  CHECK(value("softmax-focal", {{"gamma", 3}}) == softmax_focal(z, labels(), {.gamma = 3}).item());
  CHECK(value("sigmoid-focal", {{"gamma", 3}, {"alpha", 0.5}}) ==
        sigmoid_focal(z, labels(), {.gamma = 3, .alpha = 0.5}).item());
  CHECK(value("z-loss", {{"a", 2}, {"b", 3}}) == z_loss(z, labels(), {.a = 2, .b = 3}).item());
  CHECK(value("ldr", {{"margin", 1}, {"lambda", 0.5}}) ==
        ldr(z, labels(), {.margin = 1, .lambda = 0.5}).item());
  CHECK(value("decoupled-softmax", {{"temperature", 0.5}}) ==
        Approx(decoupled_softmax(z, labels(), {.temperature = 0.5}).item()));
  CHECK(value("soft-top-k", {{"k", 2}, {"alpha", 3}}) ==
        Approx(soft_top_k_loss(z, labels(), {.k = 2, .alpha = 3}).item()));
  const AnyMetric metrics[] = {AnyMetric::Accuracy, AnyMetric::GMean, AnyMetric::BalancedAccuracy};
  const char* names[] = {"any-accuracy", "any-gmean", "any-balanced"};
  for (size_t i = 0; i < 3; ++i)
    CHECK(value(names[i], {{"amplification", 9}}) ==
          any_loss_logits(z, labels(), {.metric = metrics[i], .amplification = 9}).item());
  CHECK(value("any-f", {{"amplification", 9}, {"beta", 2}}) ==
        any_loss_logits(z, labels(), {.beta = 2, .amplification = 9}).item());
}

TEST_CASE("losses: losses of cosines, of features and of a teacher by name", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64), none;
  const auto value = [&](const std::string& name, std::map<std::string, double> options) {
    return make_loss(name, {.options = options})(testing::classifier_output(name, z, options),
                                                 labels(), none)
        .item();
  };
  const Tensor identity = testing::matrix({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, Dtype::F64);
  const Tensor c = class_cosines(z, identity);
  CHECK(value("normalized-softmax", {{"scale", 7}}) ==
        Approx(normalized_softmax(c, labels(), {.scale = 7}).item()).epsilon(1e-12));
  CHECK(value("cosface", {{"scale", 7}, {"margin", 0.2}}) ==
        Approx(cosface(c, labels(), {.scale = 7, .margin = 0.2}).item()).epsilon(1e-12));
  CHECK(value("arcface", {{"scale", 7}, {"margin", 0.2}}) ==
        Approx(arcface(c, labels(), {.scale = 7, .margin = 0.2}).item()).epsilon(1e-12));
  CHECK(value("sface", {{"scale", 7}, {"slope", 5}, {"intra", 1}, {"inter", 1.5}}) ==
        Approx(sface(c, labels(), {.scale = 7, .slope = 5, .intra = 1, .inter = 1.5}).item())
            .epsilon(1e-12));
  CHECK(value("large-margin-softmax", {{"margin", 3}, {"lambda", 2}}) ==
        large_margin_softmax(z, identity, labels(), {.margin = 3, .lambda = 2}).item());
  const Tensor negatives = unpg_negatives(z, labels(), {.whisker = 0.5});
  CHECK(
      value("unpg-cosface", {{"scale", 7}, {"margin", 0.2}, {"whisker", 0.5}}) ==
      Approx(unpg(cosface_logits(c, labels(), {.scale = 7, .margin = 0.2}), negatives, labels(), 7)
                 .item())
          .epsilon(1e-12));
  CHECK(
      value("unpg-arcface", {{"scale", 7}, {"margin", 0.2}, {"whisker", 0.5}}) ==
      Approx(unpg(arcface_logits(c, labels(), {.scale = 7, .margin = 0.2}), negatives, labels(), 7)
                 .item())
          .epsilon(1e-12));
  const Tensor teacher = testing::classifier_output("distillation", z).teacher;
  CHECK(value("distillation", {{"temperature", 3}, {"weight", 0.25}}) ==
        Approx(0.75 * cross_entropy(z, labels()).item() +
               0.25 * distillation(z, teacher, {.temperature = 3}).item())
            .epsilon(1e-12));

  CHECK(loss_head("cce") == nn::HeadOptions{});
  CHECK(loss_head("t-large-margin-softmax") == nn::HeadOptions{.bias = false});
  CHECK(loss_head("arcface").cosine_scale == 64);
  CHECK(loss_head("t-arcface", {{"scale", 30}}).cosine_scale == 30);
  CHECK_THROWS_WITH(make_loss("unpg-arcface", {})(z, labels(), none),
                    testing::contains("features"));
  CHECK_THROWS_WITH(make_loss("distillation", {})(z, labels(), none), testing::contains("teacher"));
  CHECK_THROWS_WITH(make_loss("distillation", {.options = {{"weight", 2}}}),
                    testing::contains("[0, 1]"));
}

TEST_CASE("losses: random margins, derivatives and noise follow from seed and step", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64);
  for (const std::string& name : loss_names()) {
    if (uses_groups(name) || !differs_between_steps(name) || name == "aldr") continue;
    INFO(name);
    const ClassificationLoss loss = make_loss(name, {});
    const auto state = testing::loss_state(name, z);
    const auto value = [&](uint64_t seed, uint64_t step) {
      StepContext context(groups(), state.get());
      context.seed = seed;
      context.step = step;
      return loss(testing::classifier_output(name, z), labels(), context).item();
    };
    const double first = value(1, 2);
    CHECK(value(1, 2) == first);
    CHECK(value(1, 3) != first);
    CHECK(value(2, 2) != first);
  }
  // By name the losses are their functions with the context's numbers.
  StepContext context(groups());
  context.seed = 3;
  context.step = 4;
  context.epoch = 7;
  const auto named = [&](const std::string& name, std::map<std::string, double> options) {
    return make_loss(name, {.options = options})(testing::classifier_output(name, z, options),
                                                 labels(), context)
        .item();
  };
  const Tensor identity = testing::matrix({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, Dtype::F64);
  const Tensor c = class_cosines(z, identity);
  for (const bool plus : {false, true})
    CHECK(named("elastic-cosface",
                {{"scale", 7}, {"margin", 0.3}, {"deviation", 0.1}, {"plus", plus}}) ==
          Approx(elastic_face(c, labels(),
                              {.kind = ElasticKind::Cos,
                               .scale = 7,
                               .plus = plus,
                               .mean = 0.3,
                               .deviation = 0.1,
                               .seed = 3,
                               .step = 4})
                     .item())
              .epsilon(1e-12));
  CHECK(named("elastic-arcface", {{"deviation", 0}, {"scale", 7}}) ==
        Approx(arcface(c, labels(), {.scale = 7}).item()).epsilon(1e-12));
  CHECK(named("ens-loss", {{"period", 2}}) ==
        ens_loss_classes(z, labels(), {.seed = 3, .step = 4, .period = 3}).item());
  struct Wrong {
    const char *loss, *option;
    double value;
  };
  for (const Wrong& wrong :
       {Wrong{"elastic-arcface", "deviation", -1}, Wrong{"elastic-arcface", "plus", 2},
        Wrong{"elastic-cosface", "margin", -0.1}, Wrong{"ens-loss", "period", 0},
        Wrong{"ens-loss", "period", 1.5}})
    CHECK_THROWS_WITH(make_loss(wrong.loss, {.options = {{wrong.option, wrong.value}}}),
                      testing::contains(wrong.option));
}

TEST_CASE("losses: classes of EnsLoss: two are one margin, more are each against the rest",
          "[losses]") {
  const EnsLossOptions options{.seed = 5, .step = 6};
  const Tensor two = testing::matrix({{1, 0.4}, {-0.2, 0.3}, {0.5, 0.1}}, Dtype::F64),
               y = testing::labels_of({1, 0, 1});
  CHECK(ens_loss_classes(two, y, options).item() ==
        ens_loss(Tensor::from(std::vector<double>{0.4 - 1, 0.3 + 0.2, 0.1 - 0.5}, {3}), y, options)
            .item());
  Tensor z = testing::shared_logits(Dtype::F64).clone();
  z.set_requires_grad(true);
  ens_loss_classes(z, labels(), options).backward();
  const auto g = z.grad().to_vector<double>();
  const auto own = labels().to_vector<int64_t>();
  for (size_t i = 0; i < 4; ++i)
    for (size_t k = 0; k < 3; ++k) CHECK((g[i * 3 + k] < 0) == (int64_t(k) == own[i]));
  CHECK_THROWS_WITH(ens_loss_classes(z, testing::labels_of({0, 1, 2, 3}), options),
                    testing::contains("label 3"));
}

TEST_CASE("losses: what a loss keeps between steps", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64);
  // ALDR: the table's lambdas are read, and move by sample id in steps with gradients alone.
  SampleTable table(16, 1);
  const ClassificationLoss by_name = make_loss("aldr", {.options = {{"margin", 2}}});
  const Tensor ids = testing::labels_of({7, 8, 3, 4});
  const Tensor before = table.read(ids, z);
  {
    const NoGrad guard;
    by_name(z, labels(), {ids, &table});
  }
  CHECK(table.read(ids, z).to_vector<double>() == before.to_vector<double>());
  const AldrOptions options{.margin = 2};
  const Tensor lambda = aldr_lambda(z, before, options);
  CHECK(by_name(z, labels(), {ids, &table}).item() ==
        Approx(aldr_loss(z, labels(), lambda, options).item()).epsilon(1e-12));
  CHECK(table.read(ids, z).to_vector<double>() == lambda.to_vector<double>());
  CHECK(make_loss_state("t-aldr", {.samples = 3}, {{"lambda0", 2}}) != nullptr);
  CHECK(make_loss_state("t-cce", {.samples = 3}) == nullptr);

  // Generalised focal: rare classes count more, and a soft target is between its classes.
  ClassShares shares({6, 3, 0});
  CHECK(shares.shares().to_vector<float>() == std::vector<float>{0.6f, 0.3f, 0.1f});
  const ClassificationLoss focal = make_loss("generalized-focal", {.options = {{"gamma", 2}}});
  const Tensor p = Tensor::from(std::vector<double>{.6, .6, .1, .1}, {4});
  const Tensor rows = cross_entropy(z, labels(), {.reduction = Reduction::None});
  CHECK(focal(z, labels(), {groups(), &shares}).item() ==
        Approx(generalized_focal(rows, p, {.gamma = 2}).item()).epsilon(1e-6));

  // NCE: of two classes with one share the logits become log-probabilities.
  const Tensor two = testing::matrix({{2, -1}, {0.5, 0.25}}, Dtype::F64),
               y = testing::labels_of({0, 1}), half = Tensor::full({2}, 0.5, Dtype::F64);
  const ClassNceOptions few{.noise = 3, .seed = 1, .step = 2};
  const double value = nce_classes(two, y, half, few).item();
  // The draws are of two kinds alone: the value is one of those that counts of them give.
  bool found = false;
  const auto f = two.to_vector<double>();
  const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  for (int a = 0; a <= 3; ++a)
    for (int b = 0; b <= 3; ++b) {
      const double c = std::log(3.0) + std::log(0.5);
      const double data = softplus(c - f[0]) + softplus(c - f[3]);
      const double noise = a * softplus(f[0] - c) + (3 - a) * softplus(f[1] - c) +
                           b * softplus(f[2] - c) + (3 - b) * softplus(f[3] - c);
      found |= std::fabs(value - (data + noise) / 2) < 1e-12;
    }
  CHECK(found);
  CHECK_THROWS_WITH(nce_classes(two, y, half, {.noise = 0}), testing::contains("noise"));
  CHECK_THROWS_WITH(nce_classes(two, y, Tensor::full({3}, 0.3, Dtype::F64), few),
                    testing::contains("share"));

  // The second head of dual-head distillation.
  const std::string dual = "dual-head-distillation";
  const auto head = testing::loss_state(dual, z);
  const ClassifierOutput out = testing::classifier_output(dual, z);
  CHECK(
      make_loss(dual, {.options = {{"weight", 3}}})(out, labels(), {groups(), head.get()}).item() ==
      Approx(dual_head_distillation(z, dynamic_cast<nn::Linear&>(*head)(z), out.teacher, labels(),
                                    {.weight = 3})
                 .item())
          .epsilon(1e-12));
  for (const char* name : {"aldr", "generalized-focal", "nce", "dual-head-distillation"})
    CHECK_THROWS_WITH(make_loss(name, {})(out, labels(), groups()), testing::contains("state"));
}

TEST_CASE("losses: bad names and options are errors with the list", "[losses]") {
  CHECK_THROWS_WITH(make_loss("ccx", {}), testing::contains("ccx") && testing::contains("t-cce"));
  CHECK_THROWS_WITH(make_loss("gce", {.options = {{"tau", 1}}}),
                    testing::contains("tau") && testing::contains("q, truncation"));
  CHECK_THROWS_WITH(make_loss("cce", {.options = {{"tau", 1}}}), testing::contains("it has none"));
  CHECK_THROWS_WITH(uses_groups("t-"), testing::contains("known"));
}

}  // namespace ditto
