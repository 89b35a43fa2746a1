#include "autograd/recompute.h"

#include "autograd/apply.h"
#include "autograd/engine.h"
#include "autograd/mixed_precision.h"

namespace ditto {
namespace {

class Recording {
 public:
  Recording() : previous_(grad_enabled()) { set_grad_enabled(true); }
  ~Recording() { set_grad_enabled(previous_); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  bool previous_;
};

}  // namespace

class RecomputeFunction final : public Function {
 public:
  explicit RecomputeFunction(std::function<Tensor(const Tensors&)> f)
      : f_(std::move(f)), compute_dtype_(compute_dtype()) {}
  const char* name() const override { return "recompute"; }

  Tensor forward(const Tensors& inputs) {
    for (const Tensor& input : inputs) inputs_.emplace_back(input);
    const Tensor y = f_(inputs).detach();
    // f may return an input itself, whose place in the graph must not become that of the result.
    for (const Tensor& input : inputs)
      if (y.storage() == input.storage()) return y.clone();
    return y;
  }
  Tensors backward(const Tensors& grads) override {
    Tensors leaves;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      leaves.push_back(inputs_[i].get(name()).detach());
      if (needs_grad(static_cast<int>(i))) leaves.back().set_requires_grad(true);
    }
    {
      const MixedPrecision precision(compute_dtype_);
      const Recording on;
      const Tensor y = f_(leaves);
      check(y.shape() == grads[0].shape(), "[recompute] the function gave", y.shape(),
            "the second time, not", grads[0].shape());
      if (y.requires_grad()) ditto::backward({y}, {grads[0]}, false);
    }
    Tensors out;
    for (const Tensor& leaf : leaves) out.push_back(leaf.requires_grad() ? leaf.grad() : Tensor());
    return out;
  }
  void release() override {
    f_ = nullptr;
    inputs_.clear();
  }

 private:
  std::function<Tensor(const Tensors&)> f_;
  Dtype compute_dtype_;
  std::vector<Saved> inputs_;
};

Tensor recompute(std::function<Tensor(const Tensors& inputs)> f, const Tensors& inputs) {
  return apply<RecomputeFunction>(inputs, std::move(f));
}

}  // namespace ditto
