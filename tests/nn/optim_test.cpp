// Optimizers, schedules and gradient clipping against values of PyTorch in float64
// (tests/reference/optim_values.json, made by optim_values.py beside it), and what holds without a
// reference: groups, resuming, accumulation, errors.
#include <cmath>
#include <limits>
#include <memory>

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/reduce.h"
#include "losses/cross_entropy.h"
#include "nn/batch_norm.h"
#include "nn/conv2d.h"
#include "nn/linear.h"
#include "nn/optim/adam.h"
#include "nn/optim/schedule.h"
#include "nn/optim/sgd.h"
#include "nn/sequential.h"
#include "tests/reference/digest.h"
#include "tests/support/catch.h"

namespace ditto::nn {
namespace {

using nlohmann::json;
using testing::contains;
using testing::digest_error;
using testing::hash_values;
using testing::shape_of;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

const json& reference() {
  static const json file = testing::read_reference("optim_values.json");
  return file;
}

void check_close(const Tensor& got, const json& expected, double tolerance) {
  const double error = digest_error(got, expected);
  INFO("error " << error << ", allowed " << tolerance);
  CHECK(error <= tolerance);
}

Tensor leaf(uint32_t seed, const Shape& shape, Dtype dtype = Dtype::F32) {
  return Tensor::from(hash_values(seed, shape.numel()), shape, dtype).set_requires_grad(true);
}

// The two parameters of the reference file.
std::vector<Tensor> weights_of_reference(Dtype dtype) {
  std::vector<Tensor> weights;
  for (const json& shape : reference()["shapes"])
    weights.push_back(leaf(static_cast<uint32_t>(weights.size()) + 1, shape_of(shape), dtype));
  return weights;
}

void set_reference_gradient(const Tensor& weight, size_t step, size_t parameter) {
  const auto seed = static_cast<uint32_t>(100 + 10 * step + parameter);
  weight.set_grad(Tensor::from(hash_values(seed, weight.numel()), weight.shape(), weight.dtype()));
}

std::unique_ptr<Optimizer> make_optimizer(const json& entry, const std::vector<Tensor>& weights) {
  std::vector<ParameterGroup> groups;
  for (size_t i = 0; i < weights.size(); ++i)
    groups.push_back({{weights[i]}, entry["decay"][i], entry["scales"][i]});
  const json& options = entry["options"];
  if (entry["kind"] == "sgd")
    return std::make_unique<Sgd>(groups, SgdOptions{.momentum = options["momentum"],
                                                    .nesterov = options["nesterov"],
                                                    .decoupled = options["decoupled"]});
  return std::make_unique<Adam>(groups, AdamOptions{.beta1 = options["betas"][0],
                                                    .beta2 = options["betas"][1],
                                                    .eps = options["eps"],
                                                    .decoupled = entry["kind"] == "adamw"});
}

// One step of a trajectory of the reference file.
void reference_step(const json& entry, Optimizer& optimizer, const std::vector<Tensor>& weights,
                    size_t step) {
  for (size_t i = 0; i < weights.size(); ++i) {
    set_reference_gradient(weights[i], step, i);
    for (const json& pair : entry["missing"])
      if (pair == json{step, i}) weights[i].zero_grad();
  }
  optimizer.set_lr(entry["rate"].get<double>() * reference()["rates"][step].get<double>());
  optimizer.step();
}

void run_trajectory(const json& entry, Dtype dtype, double tolerance) {
  const std::vector<Tensor> weights = weights_of_reference(dtype);
  const auto optimizer = make_optimizer(entry, weights);
  size_t compared = 0;
  for (size_t step = 0; step < reference()["rates"].size(); ++step) {
    reference_step(entry, *optimizer, weights, step);
    const auto kept = entry["weights"].find(std::to_string(step));
    if (kept == entry["weights"].end()) continue;
    INFO("after step " << step);
    for (size_t i = 0; i < weights.size(); ++i) check_close(weights[i], (*kept)[i], tolerance);
    ++compared;
  }
  CHECK(compared == 3);
}

ScheduleOptions schedule_of(const json& options) {
  ScheduleOptions o;
  o.kind = schedule_kind(options["kind"]);
  o.lr = options["lr"];
  o.total_steps = options["total_steps"];
  o.warmup_steps = options.value("warmup_steps", o.warmup_steps);
  o.milestones = options.value("milestones", o.milestones);
  o.gamma = options.value("gamma", o.gamma);
  o.final_factor = options.value("final_factor", o.final_factor);
  o.peak = options.value("peak", o.peak);
  o.initial_factor = options.value("initial_factor", o.initial_factor);
  return o;
}

}  // namespace

TEST_CASE("optim: trajectories are PyTorch's", "[nn][reference]") {
  REQUIRE(reference()["trajectories"].size() == 12);
  for (const json& entry : reference()["trajectories"]) {
    INFO(entry["name"]);
    run_trajectory(entry, Dtype::F64, 1e-10);
    run_trajectory(entry, Dtype::F32, 2e-6);
  }
}

TEST_CASE("optim: schedules are PyTorch's", "[nn][reference]") {
  REQUIRE(reference()["schedules"].size() == 15);
  for (const json& entry : reference()["schedules"]) {
    INFO(entry["name"] << ", " << entry["options"]);
    const ScheduleOptions options = schedule_of(entry["options"]);
    const json& rates = entry["rates"];
    REQUIRE(rates.size() == static_cast<size_t>(options.total_steps));
    for (size_t step = 0; step < rates.size(); ++step) {
      INFO("step " << step);
      CHECK(std::abs(learning_rate(options, static_cast<int64_t>(step)) -
                     rates[step].get<double>()) <= 1e-10);
    }
    // Past the end, and before the beginning.
    CHECK(learning_rate(options, options.total_steps + 7) ==
          learning_rate(options, options.total_steps - 1));
    CHECK(learning_rate(options, -1) == learning_rate(options, 0));
  }
}

TEST_CASE("optim: schedules of few steps stay between 0 and the peak", "[nn]") {
  for (const char* kind : {"constant", "multistep", "cosine", "onecycle"}) {
    for (int64_t total = 1; total <= 6; ++total) {
      for (int64_t warmup = 0; warmup <= 8; warmup += 4) {
        const ScheduleOptions options{
            .kind = schedule_kind(kind), .lr = 0.5, .total_steps = total, .warmup_steps = warmup};
        for (int64_t step = 0; step < total; ++step) {
          const double rate = learning_rate(options, step);
          INFO(kind << ", " << total << " steps, " << warmup << " of warm-up, step " << step << ": "
                    << rate);
          CHECK((rate >= 0 && rate <= 0.5));
        }
      }
    }
  }
}

TEST_CASE("optim: schedule errors name the value", "[nn]") {
  CHECK_THROWS_WITH(schedule_kind("cosin"),
                    contains("[schedule]") && contains("'cosin'") && contains("onecycle"));
  CHECK_THROWS_WITH(learning_rate({.total_steps = 0}, 0), contains("[schedule]"));
  CHECK_THROWS_WITH(learning_rate({.warmup_steps = -1}, 0), contains("[schedule]"));
  for (const double peak : {0.0, 1.0, -0.5, kNan})
    CHECK_THROWS_WITH(learning_rate({.kind = ScheduleOptions::Kind::OneCycle, .peak = peak}, 0),
                      contains("[schedule] peak"));
}

TEST_CASE("optim: clip_grad_norm is PyTorch's", "[nn][reference]") {
  for (const json& entry : reference()["clipped"]) {
    for (const Dtype dtype : {Dtype::F64, Dtype::F32}) {
      INFO("max_norm " << entry["max_norm"] << ", " << to_string(dtype));
      const double tolerance = dtype == Dtype::F64 ? 1e-10 : 1e-6;
      const std::vector<Tensor> weights = weights_of_reference(dtype);
      for (size_t i = 0; i < weights.size(); ++i) set_reference_gradient(weights[i], 0, i);
      CHECK(std::abs(clip_grad_norm(weights, entry["max_norm"]) - entry["norm"].get<double>()) <=
            3 * tolerance);
      for (size_t i = 0; i < weights.size(); ++i)
        check_close(weights[i].grad(), entry["grads"][i], tolerance);
    }
  }
}

TEST_CASE("optim: clip_grad_norm scales each gradient once, and none that is not finite", "[nn]") {
  // a + b hands one tensor to both leaves as their gradient.
  const Tensor a = leaf(1, {4}), b = leaf(2, {4});
  sum(add(a, b)).backward();
  CHECK(clip_grad_norm({a, b}, 1) == Approx(std::sqrt(8.0)));
  for (const Tensor& t : {a, b})
    for (float g : t.grad().to_vector<float>()) CHECK(g == Approx(1 / std::sqrt(8.0)));

  const Tensor w = leaf(3, {2}), without = leaf(4, {3});
  w.set_grad(Tensor::from(std::vector<float>{3, std::numeric_limits<float>::infinity()}, {2}));
  CHECK(std::isinf(clip_grad_norm({w, without}, 1)));
  CHECK(w.grad().to_vector<float>()[0] == 3);
  w.set_grad(Tensor::from(std::vector<float>{3, std::numeric_limits<float>::quiet_NaN()}, {2}));
  CHECK(std::isnan(clip_grad_norm({w, without}, 1)));
  CHECK(w.grad().to_vector<float>()[0] == 3);

  CHECK(clip_grad_norm({without}, 1) == 0);
  CHECK(clip_grad_norm({}, 1) == 0);
  for (const double bound : {0.0, -1.0, kNan})
    CHECK_THROWS_WITH(clip_grad_norm({w}, bound), contains("[clip_grad_norm]"));
}

TEST_CASE("optim: parameter_groups keep decay from norms and biases", "[nn]") {
  Sequential model;
  model.add<Conv2d>(3, 4, 3);
  model.add<BatchNorm2d>(4);
  model.add<Linear>(4, 2);

  const auto all = parameter_groups(model, 0.1);
  REQUIRE(all.size() == 1);
  CHECK(all[0].parameters.size() == 6);
  CHECK(all[0].weight_decay == 0.1);

  const auto split = parameter_groups(model, 0.1, false);
  REQUIRE(split.size() == 2);
  REQUIRE(split[0].parameters.size() == 2);
  CHECK(split[0].parameters[0].shape() == Shape{4, 3, 3, 3});
  CHECK(split[0].parameters[1].shape() == Shape{2, 4});
  CHECK(split[0].weight_decay == 0.1);
  CHECK(split[1].parameters.size() == 4);
  for (const Tensor& p : split[1].parameters) CHECK(p.rank() == 1);
  CHECK(split[1].weight_decay == 0);

  // With gradients of zero only decay moves a weight.
  init(model, 1);
  std::vector<std::vector<float>> before;
  for (const Tensor& p : model.parameters()) {
    p.set_grad(Tensor::zeros(p.shape()));
    before.push_back(p.to_vector<float>());
  }
  Sgd(split, {.lr = 0.5}).step();
  const auto after = model.parameters();
  for (size_t i = 0; i < after.size(); ++i) {
    INFO("parameter " << i);
    const auto now = after[i].to_vector<float>();
    const double factor = after[i].rank() > 1 ? 1 - 0.5 * 0.1 : 1;
    for (size_t j = 0; j < now.size(); ++j) CHECK(now[j] == Approx(factor * before[i][j]));
  }
}

TEST_CASE("optim: accumulated micro-batches give the gradient of the whole batch", "[nn]") {
  // A mean over 8 rows is the mean of four means over 2: each loss is divided by the number of
  // parts.
  Linear model(5, 3);
  init(model, 2);
  model.to(Dtype::F64);
  const Tensor x = Tensor::from(hash_values(5, 40), {8, 5}, Dtype::F64);
  const auto labels = testing::hash_labels(6, 8, 3);
  const auto loss_of = [&](int64_t first, int64_t rows) {
    const std::vector<double> part(x.data<double>() + first * 5,
                                   x.data<double>() + (first + rows) * 5);
    const std::vector<int64_t> targets(labels.begin() + first, labels.begin() + first + rows);
    return losses::cross_entropy(model.forward(Tensor::from(part, {rows, 5})),
                                 Tensor::from(targets, {rows}));
  };
  loss_of(0, 8).backward();
  std::vector<std::vector<double>> whole;
  for (const Tensor& p : model.parameters()) whole.push_back(p.grad().to_vector<double>());

  model.zero_grad();
  for (int64_t part = 0; part < 4; ++part) (loss_of(2 * part, 2) / 4.0).backward();
  const auto parameters = model.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto parts = parameters[i].grad().to_vector<double>();
    for (size_t j = 0; j < parts.size(); ++j) CHECK(std::abs(parts[j] - whole[i][j]) <= 1e-14);
  }
}

TEST_CASE("optim: a resumed optimizer continues bit for bit", "[nn]") {
  for (const json& entry : reference()["trajectories"]) {
    INFO(entry["name"]);
    const std::vector<Tensor> straight = weights_of_reference(Dtype::F32);
    const auto undisturbed = make_optimizer(entry, straight);
    for (size_t step = 0; step < 6; ++step) reference_step(entry, *undisturbed, straight, step);

    std::vector<Tensor> weights = weights_of_reference(Dtype::F32);
    auto optimizer = make_optimizer(entry, weights);
    for (size_t step = 0; step < 3; ++step) reference_step(entry, *optimizer, weights, step);
    // What a checkpoint holds: copies of weights and state, and the number of steps.
    std::vector<Tensor> again;
    for (const Tensor& w : weights) {
      again.push_back(w.detach().clone());
      again.back().set_requires_grad(true);
    }
    const auto resumed = make_optimizer(entry, again);
    const auto saved = optimizer->state(), fresh = resumed->state();
    REQUIRE(saved.size() == fresh.size());
    REQUIRE(saved.size() == (entry["kind"] == "sgd" ? 2 : 4));
    for (size_t i = 0; i < saved.size(); ++i) {
      CHECK(saved[i].name == fresh[i].name);
      Tensor(fresh[i].tensor).copy_(saved[i].tensor);
    }
    resumed->set_steps(optimizer->steps());
    CHECK(resumed->steps() == 3);
    for (size_t step = 3; step < 6; ++step) reference_step(entry, *resumed, again, step);
    for (size_t i = 0; i < again.size(); ++i)
      CHECK(again[i].to_vector<float>() == straight[i].to_vector<float>());
  }
}

TEST_CASE("optim: a step between forward and backward is caught", "[nn]") {
  const Tensor w = leaf(1, {3});
  Sgd optimizer({{{w}}}, {.lr = 0.1});
  const Tensor y = sum(mul(w, w));
  w.set_grad(Tensor::ones({3}));
  optimizer.step();
  CHECK_THROWS_WITH(y.backward(), contains("changed in place"));
}

TEST_CASE("optim: zero_grad drops gradients, and a step without any changes nothing", "[nn]") {
  const Tensor w = leaf(1, {3});
  Sgd optimizer({{{w}, 0.5}}, {.lr = 0.1});
  w.set_grad(Tensor::ones({3}));
  optimizer.zero_grad();
  CHECK_FALSE(w.grad().defined());
  const auto before = w.to_vector<float>();
  optimizer.step();
  CHECK(w.to_vector<float>() == before);
  CHECK(optimizer.steps() == 1);
}

TEST_CASE("optim: bad options are errors that name the value", "[nn]") {
  const auto groups = [](double decay = 0, double scale = 1) {
    return std::vector<ParameterGroup>{{{leaf(1, {3})}, decay, scale}};
  };
  for (const double lr : {-0.1, kNan, kInf}) {
    CHECK_THROWS_WITH(Sgd(groups(), {.lr = lr}), contains("[optimizer] learning rate"));
    CHECK_THROWS_WITH(Adam(groups(), {.lr = lr}), contains("[optimizer] learning rate"));
  }
  for (const double decay : {-0.1, kNan, kInf})
    CHECK_THROWS_WITH(Sgd(groups(decay), {}), contains("[optimizer] weight decay"));
  for (const double scale : {-1.0, kNan, kInf})
    CHECK_THROWS_WITH(Sgd(groups(0, scale), {}), contains("[optimizer] rate factor"));
  for (const double momentum : {-0.1, 1.0, kNan})
    CHECK_THROWS_WITH(Sgd(groups(), {.momentum = momentum}), contains("[sgd] momentum"));
  CHECK_THROWS_WITH(Sgd(groups(), {.momentum = 0, .nesterov = true}), contains("[sgd] Nesterov"));
  for (const double beta : {-0.1, 1.0, kNan}) {
    CHECK_THROWS_WITH(Adam(groups(), {.beta1 = beta}), contains("[adam] beta"));
    CHECK_THROWS_WITH(Adam(groups(), {.beta2 = beta}), contains("[adam] beta"));
  }
  for (const double eps : {0.0, -1e-8, kNan})
    CHECK_THROWS_WITH(Adam(groups(), {.eps = eps}), contains("[adam] eps"));

  const auto made_of = [](const std::vector<Tensor>& parameters) {
    return Sgd({{parameters}}, {});
  };
  CHECK_THROWS_WITH(made_of({Tensor()}), contains("[optimizer] not a trainable parameter"));
  CHECK_THROWS_WITH(made_of({Tensor::ones({2})}),
                    contains("[optimizer] not a trainable parameter"));
  const Tensor w = leaf(1, {2});
  CHECK_THROWS_WITH(made_of({mul(w, w)}), contains("[optimizer] not a trainable parameter"));
  // The same parameter twice would be updated twice.
  CHECK_THROWS_WITH(made_of({w, w}), contains("[optimizer] a parameter is given twice"));
  CHECK_THROWS_WITH(Adam({{{w}}, {{w}}}, {}), contains("[optimizer] a parameter is given twice"));

  Sgd optimizer(groups(), {});
  CHECK_THROWS_WITH(optimizer.set_lr(kNan), contains("[optimizer] learning rate"));
}

}  // namespace ditto::nn
