// Module: an ordered tree of named parameters, buffers and children.
//
// Parameters and children exist only by registration, and registration returns a reference that the
// constructor's initialiser list binds: the name is written once, nothing can be forgotten, and
// modules are not copyable.
//
//   class Block : public Layer {
//    public:
//     Block(int64_t width) : conv_(child<Conv2d>("conv", width, width, 3)),
//     bn_(child<BatchNorm2d>("bn", width)) {} Tensor forward(const Tensor& x) override { return
//     bn_(conv_(x)); }
//    private:
//     Conv2d& conv_;
//     BatchNorm2d& bn_;
//   };
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace ditto::nn {

// How a tensor's layout differs between memory (NHWC) and PyTorch's order in files; see
// nn/state_dict.h.
enum class Layout {
  Vector,         // the same in both
  ConvWeight,     // (O, kH, kW, I) in memory, (O, I, kH, kW) in files
  LinearWeight,   // (O, I) in both
  LinearFlatten,  // (O, H W C) in memory, (O, C H W) in files: a linear layer after flatten of an H
                  // x W x C image
};

// How a parameter gets its first values; filled by init(), see nn/init.h.
struct Initializer {
  enum class Kind { Zeros, Ones, Normal, Uniform } kind = Kind::Zeros;
  double scale = 0;  // standard deviation, or half width of the interval around 0
};

struct NamedParameter {
  std::string name;
  Tensor tensor;
  Layout layout = Layout::Vector;
  Initializer init;
  Shape file_grid;  // LinearFlatten: (H, W, C)
  bool is_buffer = false;
  bool in_state_dict = true;  // false: state that PyTorch's files do not have
};

class Module {
 public:
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  // Parameters (and buffers) of this module and its children, depth first, with dotted names such
  // as "layer1.0.bn.weight".
  std::vector<NamedParameter> named_parameters() const;
  std::vector<NamedParameter> named_buffers() const;
  std::vector<Tensor> parameters() const;
  // Number of elements of all parameters.
  int64_t parameter_count() const;

  // Training mode decides about dropout and batch statistics. Applies to the children too.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }

  void zero_grad() const;
  // Turns gradients of all parameters on or off (to freeze an encoder).
  void set_requires_grad(bool on);
  // Converts parameters and floating buffers. The optimizer must be made afterwards.
  void to(Dtype dtype);
  // Moves parameters and floating buffers; counters (integers) stay on the CPU, which counts. The
  // optimizer must be made afterwards.
  void to(Device device);
  // Where the first parameter is; the CPU for a module without any.
  Device device() const;

  // Called by init() with a number of this module's own; layers that draw random numbers override
  // it.
  virtual void seed(uint64_t) {}

  // Calls f(dotted name, module) for this module ("" at the root) and all below it.
  void visit(const std::function<void(const std::string&, Module&)>& f);

 protected:
  // A trainable f32 tensor, zero until init().
  Tensor& parameter(const std::string& name, const Shape& shape, Initializer init,
                    Layout layout = Layout::Vector, const Shape& file_grid = {});
  // State that is saved but not trained.
  // With in_state_dict false it belongs to checkpoints of a training only.
  Tensor& buffer(const std::string& name, Tensor value, bool in_state_dict = true);

  // Makes a C(args...) as the child `name`.
  template <class C, class... Args>
  C& child(const std::string& name, Args&&... args) {
    auto made = std::make_unique<C>(std::forward<Args>(args)...);
    C& reference = *made;
    add_child(name, std::move(made));
    return reference;
  }
  void add_child(const std::string& name, std::unique_ptr<Module> module);

 private:
  void collect(const std::string& prefix, bool buffers, std::vector<NamedParameter>& out) const;
  void check_name(const std::string& name) const;
  template <class Target>
  void convert(Target target);

  // unique_ptr: references to the tensors stay valid while the list grows.
  std::vector<std::unique_ptr<NamedParameter>> tensors_;
  std::vector<std::pair<std::string, std::unique_ptr<Module>>> children_;
  bool training_ = true;
};

}  // namespace ditto::nn
