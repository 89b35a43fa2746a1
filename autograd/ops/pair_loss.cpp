#include "autograd/ops/pair_loss.h"

#include "autograd/apply.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/shape_ops.h"
#include "core/on_device.h"

namespace ditto {

// Inputs: a, b, inputs, then the constants query_ids, key_ids, query_exclude, key_exclude.
namespace {
View first_row(View matrix) {
  matrix.shape[0] = 1;
  return matrix;
}
}  // namespace

class PairLossFunction final : public Function {
 public:
  PairLossFunction(const kernels::PairMath& math, bool distance)
      : math_(math), distance_(distance) {}
  const char* name() const override { return kernels::pair_loss_name(math_); }

  // {loss, valid, stats}
  Tensors forward(const Tensors& inputs) {
    Tensors kept;
    for (const Tensor& input : inputs) kept.push_back(input.contiguous());
    const Tensor& a = kept[0];
    const auto rows = [&](const Shape& shape) {
      return Tensor::zeros(shape, a.dtype(), a.device());
    };
    const int64_t m = a.dim(0);
    Tensor loss = rows({m}), valid = rows({m}), stats = rows({kernels::pair_loss_stats(math_), m});
    on_device(a.device(), [&](auto& ctx) {
      kernels::pair_loss_forward(ctx, math_, problem(kept), loss.view(), valid.view(),
                                 stats.view());
    });
    for (const Tensor& tensor : kept) saved_.push_back(Saved(tensor));
    stats_ = Saved(stats);
    return {loss, valid, stats};
  }

  Tensors backward(const Tensors& grads) override {
    Tensors kept;
    for (const Saved& saved : saved_) kept.push_back(saved.get(name()));
    Tensors out(kept.size());
    if (!grads[0].defined()) return out;
    const Tensor g = grads[0].contiguous(), stats = stats_.get(name());
    const bool both = kept[1].defined();
    for (int side : {0, 1})
      if (kept[side].defined() && needs_grad(side))
        out[side] = Tensor::zeros(kept[side].shape(), g.dtype(), g.device());
    on_device(g.device(), [&](auto& ctx) {
      kernels::pair_loss_backward(ctx, math_, problem(kept), g.view(), stats.view(), out[0].view(),
                                  both ? out[1].view() : View());
    });
    if (const int row = kernels::pair_loss_input_gradient(math_); row >= 0 && needs_grad(2)) {
      out[2] = Tensor::zeros(kept[2].shape(), g.dtype(), g.device());
      const Tensor slope = slice(stats, 0, row, row + 1) * reshape(g, {1, g.dim(0)});
      copy_view(slope.view(), first_row(out[2].view()));
    }
    return out;
  }

  void release() override {
    saved_.clear();
    stats_.clear();
  }

 private:
  kernels::PairProblem problem(const Tensors& t) const {
    return {.a = t[0].view(),
            .b = t[1].view(),
            .query_ids = t[3].view(),
            .key_ids = t[4].view(),
            .bits = t[3].rank() == 2,
            .query_exclude = t[5].view(),
            .key_exclude = t[6].view(),
            .inputs = t[2].view(),
            .distance = distance_};
  }

  kernels::PairMath math_;
  bool distance_;
  PoolVector<Saved> saved_;
  Saved stats_;
};

namespace {

std::string in_brackets(const char* op) { return std::string("[") + op + "] "; }

void check_ids(const char* op, const Tensor& ids, int64_t rows, const Tensor& data) {
  check_defined(op, ids);
  if (ids.rank() != 2) return check_index(op, ids, rows, data);
  if (ids.dtype() != Dtype::I64 || ids.dim(0) != rows)
    fail(in_brackets(op) + "needs an i64 tensor of", rows, "rows of label masks, got", ids);
  if (!(ids.device() == data.device())) fail(in_brackets(op) + "devices differ:", data, "and", ids);
}

}  // namespace

PairRows pair_loss_rows(const char* op, const kernels::PairMath& math, const PairTensors& t,
                        bool distance) {
  check_rank(op, t.a, 2);
  const Tensor a = widened(t.a), b = widened(t.b), inputs = widened(t.inputs);
  if (a.dim(1) < 1) fail(in_brackets(op) + "needs embeddings of at least one number, got", a);
  const int64_t m = a.dim(0), n = b.defined() ? b.dim(0) : m;
  if (b.defined()) {
    check_match(op, a, b);
    check_rank(op, b, 2);
    if (b.dim(1) != a.dim(1) || n < 1)
      fail(in_brackets(op) + "keys", b.shape(), "do not fit queries", a.shape());
  }
  check_ids(op, t.query_ids, m, a);
  if (t.key_ids.defined())
    check_ids(op, t.key_ids, n, a);
  else if (n != m)
    fail(in_brackets(op) + "keys", b.shape(), "need ids of their own beside queries", a.shape());
  if (t.key_ids.defined() && t.key_ids.rank() == 2 && t.key_ids.dim(1) != t.query_ids.dim(1))
    fail(in_brackets(op) + "label masks differ:", t.query_ids, "and", t.key_ids);
  if (t.query_exclude.defined()) check_index(op, t.query_exclude, m, a);
  if (t.key_exclude.defined()) check_index(op, t.key_exclude, n, a);
  const int wanted = kernels::pair_loss_inputs(math);
  if (wanted > 0) {
    check_match(op, a, inputs);
    if (inputs.rank() != 2 || inputs.dim(0) != wanted || inputs.dim(1) != m)
      fail(in_brackets(op) + "numbers per row", inputs.shape(), "do not fit", a.shape());
  }
  const Tensors out =
      apply<PairLossFunction>({a, b, inputs, t.query_ids.detach(), t.key_ids.detach(),
                               t.query_exclude.detach(), t.key_exclude.detach()},
                              math, distance);
  return {out[0], out[1].detach(), out[2].detach()};
}

Tensor label_bits(const char* op, const Tensor& labels) {
  check_defined(op, labels);
  if (labels.rank() != 2) fail(in_brackets(op) + "multi-labels must be (n, K), got", labels);
  const int64_t n = labels.dim(0), classes = labels.dim(1), words = (classes + 63) / 64;
  const std::vector<double> hot = labels.detach().to_vector<double>();
  std::vector<int64_t> bits(static_cast<size_t>(n * words));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < classes; ++k)
      if (hot[static_cast<size_t>(i * classes + k)] != 0)
        bits[static_cast<size_t>(i * words + k / 64)] |= int64_t(uint64_t{1} << (k % 64));
  return Tensor::from(bits, {n, words}).to(labels.device());
}

}  // namespace ditto
