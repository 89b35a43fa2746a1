// Shapes and options that no op may accept: each is an Error that names the op and the offending
// values. Wrong dtypes are covered for every op by the conformance suite.
#include <functional>

#include "autograd/grad_mode.h"
#include "autograd/ops.h"
#include "core/current_op.h"
#include "tests/support/catch.h"

namespace ditto {
namespace {

struct Case {
  const char* op;      // must appear in brackets
  const char* detail;  // and so must this value
  std::function<void()> f;
};

Tensor zeros(const Shape& shape) { return Tensor::zeros(shape); }
Tensor ids(std::vector<int64_t> values) {
  const int64_t n = static_cast<int64_t>(values.size());
  return Tensor::from(values, {n});
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"add", "(2, 3) and (2)",
       [] {
         add(zeros({2, 3}), zeros({2}));
       }},
      {"sub", "(2, 3) and (3, 2)",
       [] {
         sub(zeros({2, 3}), zeros({3, 2}));
       }},
      {"mul", "(4) and (5)", [] { mul(zeros({4}), zeros({5})); }},
      {"div", "(4) and (5)", [] { div(zeros({4}), zeros({5})); }},
      {"maximum", "(4) and (5)", [] { maximum(zeros({4}), zeros({5})); }},
      {"minimum", "(4) and (5)", [] { minimum(zeros({4}), zeros({5})); }},
      {"pow", "(4) and (5)", [] { pow(zeros({4}), zeros({5})); }},
      {"add", "dtypes differ", [] { add(zeros({4}), Tensor::zeros({4}, Dtype::F64)); }},
      {"clamp", "2", [] { clamp(zeros({4}), 2, 1); }},
      {"sum_to", "(2, 3)",
       [] {
         sum_to(zeros({2, 3}), {4});
       }},
      {"sum", "3 of (2, 3)",
       [] {
         sum(zeros({2, 3}), 3);
       }},
      {"mean", "(2, 0)",
       [] {
         mean(zeros({2, 0}), 1);
       }},
      {"max", "(2, 0)",
       [] {
         max(zeros({2, 0}), 1);
       }},
      {"reshape", "(2, 3) as (4, 2)",
       [] {
         reshape(zeros({2, 3}), {4, 2});
       }},
      {"reshape", "(-1, -1)",
       [] {
         reshape(zeros({2, 3}), {-1, -1});
       }},
      {"reshape", "(5, -1)",
       [] {
         reshape(zeros({2, 3}), {5, -1});
       }},
      {"permute", "(0, 0)",
       [] {
         permute(zeros({2, 3}), {0, 0});
       }},
      {"permute", "(0)",
       [] {
         permute(zeros({2, 3}), {0});
       }},
      {"slice", "0",
       [] {
         slice(zeros({2, 3}), 0, 0, 1, 0);
       }},
      {"concat", "(2, 3) and (2, 4)",
       [] {
         concat({zeros({2, 3}), zeros({2, 4})}, 0);
       }},
      {"concat", "at least one", [] { concat({}, 0); }},
      {"pad", "(-1)", [] { pad(zeros({2}), {-1}, {0}); }},
      {"pad", "(1, 1)",
       [] {
         pad(zeros({2}), {1, 1}, {0, 0});
       }},
      {"broadcast_to", "(2, 3)",
       [] {
         broadcast_to(zeros({2, 3}), {2, 4});
       }},
      {"broadcast_to", "(2, 3)",
       [] {
         broadcast_to(zeros({2, 3}), {3});
       }},
      {"matmul", "(2, 3) and (2, 3)",
       [] {
         matmul(zeros({2, 3}), zeros({2, 3}));
       }},
      {"matmul", "(3)",
       [] {
         matmul(zeros({3}), zeros({3, 2}));
       }},
      {"linear", "(2, 3)",
       [] {
         linear(zeros({2, 3}), zeros({5, 4}));
       }},
      {"linear", "(4)",
       [] {
         linear(zeros({2, 3}), zeros({5, 3}), zeros({4}));
       }},
      {"conv2d", "(1, 8, 8)",
       [] {
         conv2d(zeros({1, 8, 8}), zeros({4, 3, 3, 8}));
       }},
      {"conv2d", "3",
       [] {
         conv2d(zeros({1, 8, 8, 3}), zeros({4, 3, 3, 2}));
       }},
      {"conv2d", "-1",
       [] {
         conv2d(zeros({1, 8, 8, 3}), zeros({4, 3, 3, 3}), Tensor(), {.stride = -1});
       }},
      {"conv2d", "-2",
       [] {
         conv2d(zeros({1, 8, 8, 3}), zeros({4, 3, 3, 3}), Tensor(), {.padding = -2});
       }},
      {"conv2d", "(5)",
       [] {
         conv2d(zeros({1, 8, 8, 3}), zeros({4, 3, 3, 3}), zeros({5}));
       }},
      {"conv2d", "2",
       [] {
         conv2d(zeros({1, 8, 8, 3}), zeros({4, 3, 3, 3}), Tensor(), {.groups = 2});
       }},
      {"conv2d", "5",
       [] {
         conv2d(zeros({1, 2, 2, 3}), zeros({4, 5, 5, 3}));
       }},
      {"pool2d", "0",
       [] {
         max_pool2d(zeros({1, 4, 4, 2}), {.kernel = 0});
       }},
      {"pool2d", "9",
       [] {
         avg_pool2d(zeros({1, 4, 4, 2}), {.kernel = 9});
       }},
      {"max_pool2d", "(4, 4)",
       [] {
         max_pool2d(zeros({4, 4}));
       }},
      {"global_avg_pool2d", "(4, 4)",
       [] {
         global_avg_pool2d(zeros({4, 4}));
       }},
      {"batch_norm", "(3)",
       [] {
         batch_norm(zeros({4, 2}), zeros({3}), zeros({2}), {}, {});
       }},
      {"batch_norm", "(1, 2)",
       [] {
         batch_norm(zeros({1, 2}), zeros({2}), zeros({2}), {}, {});
       }},
      {"batch_norm", "running",
       [] {
         batch_norm(zeros({4, 2}), {}, {}, {}, {}, {.training = false});
       }},
      {"batch_norm", "(4, 3)",
       [] {
         batch_norm(zeros({4, 2}), {}, {}, {}, {}, {}, zeros({4, 3}));
       }},
      {"batch_norm", "-1",
       [] {
         batch_norm(zeros({4, 2}), {}, {}, {}, {}, {.eps = -1});
       }},
      {"softmax", "(2, 0)",
       [] {
         softmax(zeros({2, 0}));
       }},
      {"log_softmax", "(2, 0)",
       [] {
         log_softmax(zeros({2, 0}));
       }},
      {"cross_entropy", "7 of row 1",
       [] {
         cross_entropy_rows(zeros({2, 3}), ids({0, 7}));
       }},
      {"cross_entropy", "(3)",
       [] {
         cross_entropy_rows(zeros({2, 3}), ids({0, 1, 2}));
       }},
      {"cross_entropy", "(2, 4)",
       [] {
         cross_entropy_rows(zeros({2, 3}), zeros({2, 4}));
       }},
      {"group_kl", "(3)",
       [] {
         group_kl(zeros({2, 3}), ids({0, 1, 2}));
       }},
      {"group_kl", "(2, 4)",
       [] {
         group_kl(zeros({2, 3}), ids({0, 1}), zeros({2, 4}));
       }},
      {"dropout", "1.5", [] { dropout(zeros({2}), 1.5, {}); }},
      {"index_select", "index 9 at position 1",
       [] {
         index_select(zeros({3, 2}), ids({0, 9}));
       }},
      {"index_select", "-1",
       [] {
         index_select(zeros({3, 2}), ids({-1}));
       }},
      {"cast", "u8",
       [] {
         Tensor x = zeros({2});
         x.set_requires_grad(true);
         cast(x, Dtype::U8);
       }},
  };
  return all;
}

}  // namespace

TEST_CASE("errors: every op refuses shapes and options that do not fit", "[autograd]") {
  for (const Case& c : cases()) {
    INFO(c.op << ": " << c.detail);
    std::string message;
    try {
      c.f();
    } catch (const Error& error) {
      message = error.what();
    }
    CHECK_THAT(message, testing::contains("[" + std::string(c.op) + "]"));
    CHECK_THAT(message, testing::contains(c.detail));
  }
}

TEST_CASE("errors: a refused op is not the current one afterwards", "[autograd]") {
  for (const Case& c : cases()) {
    CHECK_THROWS_AS(c.f(), Error);
    CAPTURE(c.op);
    CHECK(current_op() == nullptr);  // or later messages would blame it
    CHECK(grad_enabled());
  }
}

TEST_CASE("errors: a refused op leaves no memory behind and its inputs usable", "[autograd]") {
  const int64_t before = memory_stats().current;
  for (const Case& c : cases()) CHECK_THROWS_AS(c.f(), Error);
  CHECK(memory_stats().current == before);
}

}  // namespace ditto
