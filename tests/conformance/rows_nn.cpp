#include "autograd/ops.h"
#include "tests/conformance/row.h"

namespace ditto::testing {
namespace {

Tensor like(const Tensor& x, double value) {
  return Tensor::full(x.shape(), value, x.dtype(), x.device());
}

Row conv(const std::string& name, const Shape& x, const Shape& w, bool bias, Conv2dParams p) {
  Row row{.name = "conv2d " + name,
          .inputs = {Input{x}, Input{w}},
          .f = [=](const Tensors& in) { return conv2d(in[0], in[1], bias ? in[2] : Tensor(), p); },
          .f32_tolerance = 5e-6,
          .empty_dim = -1,
          .same_for_any_thread_count = false};
  if (bias) row.inputs.push_back(Input{{w[0]}});
  return row;
}

// Inputs x, gamma, beta (and residual). The shift keeps the ReLU's argument off its kink in the
// drawn values.
Row norm(const std::string& name, bool training, bool relu, bool residual) {
  Row row{.name = "batch_norm " + name,
          .inputs = {Input{{2, 2, 3, 4}}, Input{{4}, 0.5, 1.5}, Input{{4}}},
          .f =
              [=](const Tensors& in) {
                const Tensor mean = like(in[1], 0.1), var = like(in[1], 0.7);
                return batch_norm(in[0], in[1], in[2], mean, var,
                                  {.training = training, .relu = relu},
                                  residual ? in[3] : Tensor());
              },
          .f32_tolerance = 1e-5};
  if (residual) row.inputs.push_back(Input{{2, 2, 3, 4}});
  return row;
}

// Inputs x, then gamma, beta and weight of two layers that add 2 and 3 channels.
Row dense(const std::string& name, bool training) {
  return {
      .name = "dense_block " + name,
      .inputs = {Input{{2, 3, 4, 3}}, Input{{3}, 0.5, 1.5}, Input{{3}}, Input{{2, 3, 3, 3}},
                 Input{{5}, 0.5, 1.5}, Input{{5}}, Input{{3, 3, 3, 5}}},
      .f =
          [=](const Tensors& in) {
            PoolVector<DenseLayerTensors> layers;
            for (size_t i = 1; i < in.size(); i += 3)
              layers.push_back({in[i], in[i + 1], like(in[i], 0.1), like(in[i], 0.7), in[i + 2]});
            return dense_block(in[0], layers, {.training = training});
          },
      .f32_tolerance = 1e-5,
      .same_for_any_thread_count = false};
}

}  // namespace

std::vector<Row> nn_rows() {
  std::vector<Row> rows;
  rows.push_back({.name = "matmul",
                  .inputs = {Input{{3, 4}}, Input{{4, 5}}},
                  .f = [](const Tensors& in) { return matmul(in[0], in[1]); },
                  .same_for_any_thread_count = false});
  rows.push_back({.name = "linear",
                  .inputs = {Input{{2, 3, 4}}, Input{{5, 4}}, Input{{5}}},
                  .f = [](const Tensors& in) { return linear(in[0], in[1], in[2]); },
                  .same_for_any_thread_count = false});
  rows.push_back(conv("3x3", {2, 5, 4, 3}, {4, 3, 3, 3}, true, {.padding = 1}));
  rows.push_back(conv("stride 2", {1, 6, 5, 2}, {3, 3, 3, 2}, false, {.stride = 2, .padding = 1}));
  rows.push_back(conv("dilation 2", {1, 7, 6, 2}, {2, 3, 3, 2}, true, {.dilation = 2}));
  rows.push_back(conv("groups", {2, 4, 4, 4}, {6, 3, 3, 2}, true, {.padding = 1, .groups = 2}));
  rows.push_back(conv("1x1", {2, 3, 3, 5}, {4, 1, 1, 5}, false, {}));
  rows.push_back(norm("training", true, false, false));
  rows.push_back(norm("training relu", true, true, false));
  rows.push_back(norm("training residual", true, false, true));
  rows.push_back(norm("training relu residual", true, true, true));
  rows.push_back(norm("eval", false, false, false));
  rows.push_back(norm("eval relu residual", false, true, true));
  rows.push_back(dense("training", true));
  rows.push_back(dense("eval", false));
  // Random values of one window are never within the step of a finite difference.
  rows.push_back(
      {.name = "max_pool2d", .inputs = {Input{{2, 5, 4, 3}}}, .f = [](const Tensors& in) {
         return max_pool2d(in[0], {.kernel = 3, .stride = 2, .padding = 1});
       }});
  for (bool count : {true, false})
    rows.push_back({.name = count ? "avg_pool2d padded" : "avg_pool2d",
                    .inputs = {Input{{2, 5, 4, 3}}},
                    .f = [=](const Tensors& in) {
                      return avg_pool2d(
                          in[0],
                          {.kernel = 3, .stride = 2, .padding = 1, .count_include_pad = count});
                    }});
  rows.push_back({.name = "global_avg_pool2d",
                  .inputs = {Input{{2, 3, 4, 5}}},
                  .f = [](const Tensors& in) { return global_avg_pool2d(in[0]); },
                  .empty_dim = 0});
  rows.push_back({.name = "dropout", .inputs = {Input{{6, 5}}}, .f = [](const Tensors& in) {
                    return dropout(in[0], 0.4, {.seed = 3, .purpose = Purpose::Dropout});
                  }});
  return rows;
}

}  // namespace ditto::testing
