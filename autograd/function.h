// Function: one recorded operation, and the place of a tensor in the graph.
//
// First-order gradients: backward runs with recording off and may call kernels directly. A node
// saves inputs or its output as detached aliases (a saved output that kept its graph would be a
// cycle and never be freed).
#pragma once

#include <memory>

#include "core/tensor.h"

namespace ditto {

class Function;

// What a tensor knows of the graph. Interior: the node that made it. Leaf: its accumulated
// gradient.
class Autograd {
 public:
  std::shared_ptr<Function> node;  // null for a leaf
  int output = 0;                  // which of the node's outputs
  bool requires_grad = false;      // leaves only
  Tensor grad;                     // leaves only
};

// A tensor kept for the backward pass; `get` throws if it was changed in place since.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& tensor)
      : tensor_(tensor.detach()), version_(tensor.defined() ? tensor.storage()->version() : 0) {}
  const Tensor& get(const char* op) const;
  void clear() { tensor_ = Tensor(); }

 private:
  Tensor tensor_;
  uint32_t version_ = 0;
};

// Subclasses implement `forward(const Tensors&)` (called by apply<F>) and `backward`; see
// docs/add_a_layer.md.
class Function : public std::enable_shared_from_this<Function> {
 public:
  Function() = default;
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;
  virtual ~Function();

  // The op's name in errors and profiles.
  virtual const char* name() const = 0;
  // Gradients of the inputs from those of the outputs: grads[i] may be undefined (zero). The result
  // has one entry per input; entries of inputs that need no gradient may be undefined.
  virtual Tensors backward(const Tensors& grads) = 0;
  // Drops what was saved; called once backward has run without retain_graph.
  virtual void release() = 0;

  // Whether backward must produce a gradient for input i.
  bool needs_grad(int i) const { return edges_[i] != nullptr; }
  uint64_t sequence() const { return sequence_; }
  // Where the gradients of the inputs go; null entries need none. For tools that walk the graph.
  const PoolVector<std::shared_ptr<Autograd>>& edges() const { return edges_; }

 private:
  template <class F, class... Args>
  friend auto apply(const Tensors& inputs, Args&&... args);
  friend class Engine;
  friend void record(const std::shared_ptr<Function>& node, const Tensors& inputs,
                     std::span<Tensor> outputs);

  PoolVector<std::shared_ptr<Autograd>> edges_;  // one per input; null where no gradient flows
  PoolVector<Shape> output_shapes_;
  uint64_t sequence_ = 0;  // creation order: consumers always have a higher number than producers
  bool released_ = false;
};

}  // namespace ditto
