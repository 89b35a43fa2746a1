// No loss makes NaN or infinity of finite input (docs/losses.md): what the tests of single losses
// do not cover. The pair losses by name, those without a name, angular losses of long and short
// features.
#include <cmath>

#include "autograd/ops.h"
#include "losses/angular.h"
#include "losses/ce_supcon.h"
#include "losses/depict.h"
#include "losses/lacln.h"
#include "losses/large_margin_softmax.h"
#include "losses/mw.h"
#include "losses/nce.h"
#include "losses/noprop.h"
#include "losses/pair_losses.h"
#include "losses/unpg.h"
#include "nn/init.h"
#include "tests/losses/pair_checks.h"

namespace ditto::testing {
namespace {

using namespace losses;

const double kNorms[] = {1e-12, 1e-3, 1.0, 1e6};

// Loss and gradients of f(inputs), which is called twice: what it keeps may have moved by then.
void check_finite(const Tensors& inputs, const std::function<Tensor(const Tensors&)>& f) {
  Tensors leaves;
  for (const Tensor& input : inputs) {
    leaves.push_back(input.detach().clone());
    leaves.back().set_requires_grad(true);
  }
  f(leaves);
  const Tensor loss = f(leaves);
  REQUIRE(loss.rank() == 0);
  CHECK(std::isfinite(loss.item()));
  loss.backward();
  for (const Tensor& leaf : leaves)
    if (leaf.grad().defined())
      for (double g : leaf.grad().to_vector<double>()) CHECK(std::isfinite(g));
}

// n rows of 5 numbers and about this length, in all directions.
Tensor rows(int64_t n, double norm, Dtype dtype) {
  std::vector<double> values(static_cast<size_t>(5 * n));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = norm * (static_cast<double>(i * 2654435761u % 1000) / 1000 - 0.5);
  return Tensor::from(values, {n, 5}, dtype);
}

}  // namespace

TEST_CASE("finite: pair losses by name", "[losses]") {
  for (const std::string& name : pair_loss_names())
    for (const Dtype dtype : kFloats) {
      std::vector<std::map<std::string, double>> settings = {{}};
      for (const LossOption& option : pair_loss_options(name))
        if (option.name == "temperature") settings.push_back({{"temperature", 0.01}});
      for (const auto& options : settings) {
        const auto run = [&](const Tensor& z, const std::vector<int64_t>& labels, int64_t views) {
          const auto state = make_pair_loss_state(
              name, {.samples = 16, .embeddings = 5, .class_counts = std::vector<int64_t>(16, 1)},
              options);
          if (state) nn::init(*state, 5);
          // What is trained is f32.
          if (state && dtype != Dtype::F32 && !state->named_parameters().empty()) return;
          const PairLossByName loss = make_pair_loss(name, options);
          const Tensor samples = view_ids(z.dim(0) / views, views, kCpu);
          check_finite({z}, [&](const Tensors& in) {
            return loss(in[0], labels_of(labels), {samples, state.get()}).loss;
          });
          if (state)
            for (const nn::NamedParameter& p : state->named_parameters())
              if (p.tensor.grad().defined())
                for (double g : p.tensor.grad().to_vector<double>()) CHECK(std::isfinite(g));
        };
        for (const double norm : kNorms) {
          INFO(name << " " << to_string(dtype) << " norm " << norm << " settings "
                    << options.size());
          run(rows(8, norm, dtype), {0, 1, 2, 1, 0, 1, 2, 1}, 2);
          run(rows(8, norm, dtype), {0, 0, 0, 0, 0, 0, 0, 0}, 2);
          run(rows(8, norm, dtype), {0, 1, 2, 3, 4, 5, 6, 7}, 2);
          if (name != "mv-dhel")  // refuses a single sample: it has no other to compare with
            run(rows(2, norm, dtype), {3, 3}, 2);
        }
        INFO(name << " " << to_string(dtype) << ": equal rows, zero rows");
        run(Tensor::ones({4, 5}, dtype), {0, 1, 0, 1}, 2);
        run(Tensor::zeros({4, 5}, dtype), {0, 1, 0, 1}, 2);
      }
    }
}

TEST_CASE("finite: joint losses and those without a name", "[losses]") {
  for (const Dtype dtype : kFloats)
    for (const double norm : kNorms)
      for (const auto& y :
           std::vector<std::vector<int64_t>>{{0, 1, 2, 1, 0, 1}, {0, 0, 0}, {0, 1, 2, 3}, {2}}) {
        INFO(to_string(dtype) << " norm " << norm << " rows " << y.size());
        const auto n = static_cast<int64_t>(y.size());
        const Tensor labels = labels_of(y), z = rows(n, norm, dtype), w = rows(5, norm, dtype);
        const Tensor noise = slice(reshape(w, {25}), 0, 0, 7);
        check_finite({z, w}, [&](const Tensors& in) {
          return clce(matmul(in[0], in[1]), in[0], labels, {.lacln = {.temperature = 0.01}}).loss;
        });
        check_finite({z, w}, [&](const Tensors& in) {
          return ce_supcon(matmul(in[0], in[1]), in[0], labels, {.supcon = {.temperature = 0.01}})
              .loss;
        });
        check_finite({z, w}, [&](const Tensors& in) {
          return unpg(arcface_logits(class_cosines(in[0], in[1]), labels),
                      unpg_negatives(in[0], labels), labels);
        });
        check_finite({z, w}, [&](const Tensors& in) {
          return symface(in[0], slice(concat({in[1], in[1]}, 0), 0, 0, n),
                         Tensor::ones({n}, dtype));
        });
        check_finite({z, w}, [&](const Tensors& in) { return noprop_local(in[0], in[1], labels); });
        const Tensor density = slice(reshape(z, {5 * n}), 0, 0, n);
        check_finite({density, noise}, [&](const Tensors& in) {
          return nce(in[0], in[1], Tensor::zeros({n}, dtype), Tensor::zeros({7}, dtype));
        });
        check_finite({density, noise}, [&](const Tensors& in) {
          return compositional_nll(in[0], in[1], Tensor::zeros({7}, dtype));
        });
        check_finite({z}, [&](const Tensors& in) { return depict(in[0]); });
        check_finite({density, noise}, [&](const Tensors& in) { return mw_loss(in[0], in[1]); });
      }
}

TEST_CASE("finite: angular and large margins, of features of any length", "[losses]") {
  for (const Dtype dtype : kFloats)
    for (const double norm : kNorms)
      for (const double of_weights : kNorms) {
        INFO(to_string(dtype) << " norms " << norm << " " << of_weights);
        const Tensor labels = labels_of({0, 1, 4, 0});
        const Tensors in = {rows(4, norm, dtype), rows(3 + 2, of_weights, dtype)};
        const auto check = [&](const std::function<Tensor(const Tensor&)>& f) {
          check_finite(in, [&](const Tensors& x) { return f(class_cosines(x[0], x[1])); });
        };
        check([&](const Tensor& c) { return normalized_softmax(c, labels, {.scale = 100}); });
        check([&](const Tensor& c) { return cosface(c, labels); });
        check([&](const Tensor& c) { return arcface(c, labels); });
        check([&](const Tensor& c) { return arcface(c, labels, {.monotone = false}); });
        check([&](const Tensor& c) { return elastic_face(c, labels, {.plus = true}); });
        check([&](const Tensor& c) { return sface(c, labels); });
        for (const int margin : {1, 2, 3, 4})
          check_finite(in, [&](const Tensors& x) {
            return large_margin_softmax(x[0], x[1], labels, {.margin = margin, .lambda = 5});
          });
      }
}

}  // namespace ditto::testing
