#include "autograd/engine.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "autograd/apply.h"
#include "core/current_op.h"
#include "core/on_device.h"
#include "kernels/elementwise.h"

namespace ditto {
namespace {

thread_local bool recording_on = true;

std::atomic<uint64_t> next_sequence{1};

bool leads_to_leaf(const Tensor& tensor) {
  const Autograd* place = tensor.autograd().get();
  return place && (place->node || place->requires_grad);
}

// sum += grad. The first gradient is kept as it is; it is only written to once nobody else can see
// it.
void add_gradient(Tensor& sum, Tensor grad) {
  if (!sum.defined()) {
    sum = std::move(grad);
    return;
  }
  if (sum.storage().use_count() > 1 || !sum.is_contiguous()) sum = sum.clone();
  const Tensor other = grad.contiguous();
  on_device(sum.device(),
            [&](auto& ctx) { kernels::accumulate(ctx, other.view(), 1.0, sum.view()); });
}

}  // namespace

bool grad_enabled() { return recording_on; }
void set_grad_enabled(bool on) { recording_on = on; }

bool needs_recording(const Tensors& inputs) {
  return recording_on && std::any_of(inputs.begin(), inputs.end(), leads_to_leaf);
}

Tensors detached(const Tensors& inputs) {
  Tensors out;
  out.reserve(inputs.size());
  for (const Tensor& input : inputs) out.push_back(input.detach());
  return out;
}

void record(const std::shared_ptr<Function>& node, const Tensors& inputs,
            std::span<Tensor> outputs) {
  profile_recorded(node.get());
  node->sequence_ = next_sequence.fetch_add(1, std::memory_order_relaxed);
  node->edges_.reserve(inputs.size());
  for (const Tensor& input : inputs)
    node->edges_.push_back(leads_to_leaf(input) ? input.autograd() : nullptr);
  for (size_t i = 0; i < outputs.size(); ++i) {
    node->output_shapes_.push_back(outputs[i].shape());
    if (!is_floating(outputs[i].dtype())) continue;  // indices and masks carry no gradient
    auto place = make_pooled<Autograd>();
    place->node = node;
    place->output = static_cast<int>(i);
    outputs[i].set_autograd(std::move(place), false);
  }
}

const Tensor& Saved::get(const char* op) const {
  check(!tensor_.defined() || tensor_.storage()->version() == version_, "[backward]", op,
        "saved a tensor that was changed in place afterwards:", tensor_);
  return tensor_;
}

// Destroying a long chain one shared_ptr inside the other would overflow the stack: the edges are
// moved to a list that the outermost destructor empties.
Function::~Function() {
  thread_local PoolVector<std::shared_ptr<Autograd>> pending;
  thread_local bool draining = false;
  for (auto& edge : edges_)
    if (edge) pending.push_back(std::move(edge));
  if (draining) return;
  draining = true;
  while (!pending.empty()) {
    const auto edge = std::move(pending.back());
    pending.pop_back();
  }
  draining = false;
}

// The nodes still to run, each with the gradients gathered for its outputs so far.
class Engine {
 public:
  explicit Engine(bool retain_graph) : retain_(retain_graph) {}

  void add(const std::shared_ptr<Autograd>& place, Tensor grad) {
    if (!place->node) {
      if (!place->requires_grad) return;
      // A leaf's gradient belongs to the user, who may scale it in place: it shares its bytes with
      // nothing.
      if (!place->grad.defined() && (grad.storage().use_count() > 1 || !grad.is_contiguous()))
        grad = grad.clone();
      add_gradient(place->grad, std::move(grad));
      return;
    }
    Function* node = place->node.get();
    auto [it, is_new] = waiting_.try_emplace(node);
    if (is_new) {
      it->second.owner = place->node;
      it->second.grads.resize(node->output_shapes_.size());
      heap_.push_back(node);
      std::push_heap(heap_.begin(), heap_.end(), later);
    }
    add_gradient(it->second.grads[place->output], std::move(grad));
  }

  // Consumers were created after producers, so the newest node has received all its gradients.
  void run() {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), later);
      Function* node = heap_.back();
      heap_.pop_back();
      auto entry = waiting_.extract(node);
      step(*node, entry.mapped().grads);
    }
  }

 private:
  struct Waiting {
    std::shared_ptr<Function> owner;
    Tensors grads;
  };

  static bool later(const Function* a, const Function* b) { return a->sequence() < b->sequence(); }

  void step(Function& node, Tensors& grads) {
    check(!node.released_, "[backward] the graph of", node.name(),
          "was freed by an earlier backward; pass retain_graph to use it twice");
    Tensors inputs = [&] {
      ProfileBackward timed(node);
      CurrentOp op(node.name());
      return node.backward(grads);
    }();
    check(inputs.size() == node.edges_.size(), "[backward]", node.name(), "returned", inputs.size(),
          "gradients for", node.edges_.size(), "inputs");
    grads.clear();
    const auto edges = retain_ ? node.edges_ : std::move(node.edges_);
    if (!retain_) {
      node.release();
      node.released_ = true;
      node.edges_.clear();
    }
    for (size_t i = 0; i < edges.size(); ++i)
      if (edges[i] && inputs[i].defined()) add(edges[i], std::move(inputs[i]));
  }

  using Map = std::unordered_map<Function*, Waiting, std::hash<Function*>, std::equal_to<>,
                                 PoolAllocator<std::pair<Function* const, Waiting>>>;
  bool retain_;
  PoolVector<Function*> heap_;
  Map waiting_;
};

void backward(const Tensors& outputs, const Tensors& grads, bool retain_graph) {
  check(outputs.size() == grads.size(), "[backward] got", outputs.size(), "outputs and",
        grads.size(), "gradients");
  NoGrad guard;
  Engine engine(retain_graph);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    check(output.defined() && leads_to_leaf(output),
          "[backward] the tensor does not depend on anything that requires a gradient:", output);
    Tensor grad = grads[i];
    if (!grad.defined()) {
      check(output.numel() == 1, "[backward] needs a gradient for an output of shape",
            output.shape());
      grad = Tensor::ones(output.shape(), output.dtype(), output.device());
    }
    check(grad.shape() == output.shape() && grad.dtype() == output.dtype() &&
              grad.device() == output.device(),
          "[backward] gradient", grad, "does not fit output", output);
    engine.add(output.autograd(), grad.detach());
  }
  engine.run();
}

bool Tensor::requires_grad() const { return leads_to_leaf(*this); }

Tensor& Tensor::set_requires_grad(bool on) {
  check(defined() && is_floating(dtype_),
        "[set_requires_grad] needs an f32, f64 or bf16 tensor, got", *this);
  check(!autograd_ || !autograd_->node,
        "[set_requires_grad] only leaves can change it; use detach()");
  // The place in the graph stays, because other handles (an optimizer's) share it: they must see
  // the change too.
  if (on && !autograd_) autograd_ = make_pooled<Autograd>();
  if (autograd_) {
    autograd_->requires_grad = on;
    if (!on) autograd_->grad = Tensor();
  }
  return *this;
}

Tensor Tensor::grad() const { return autograd_ ? autograd_->grad : Tensor(); }

void Tensor::set_grad(const Tensor& grad) const {
  check(autograd_ && !autograd_->node, "[set_grad] not a leaf that requires a gradient:", *this);
  check(!grad.defined() ||
            (grad.shape() == shape_ && grad.dtype() == dtype_ && grad.device() == device()),
        "[set_grad] gradient", grad, "does not fit", *this);
  // Optimizers read gradients in row-major order.
  autograd_->grad = grad.detach().contiguous();
}

void Tensor::zero_grad() const {
  if (autograd_) autograd_->grad = Tensor();
}

void Tensor::backward() const { ditto::backward({*this}, {Tensor()}, false); }
void Tensor::backward(const Tensor& grad, bool retain_graph) const {
  ditto::backward({*this}, {grad}, retain_graph);
}

}  // namespace ditto
