#include "nn/module.h"

namespace ditto::nn {

void Module::check_name(const std::string& name) const {
  check(!name.empty() && name.find('.') == std::string::npos,
        "[module] a name must be non-empty and without dots:", name);
  for (const auto& tensor : tensors_)
    check(tensor->name != name, "[module] the name is taken:", name);
  for (const auto& entry : children_)
    check(entry.first != name, "[module] the name is taken:", name);
}

Tensor& Module::parameter(const std::string& name, const Shape& shape, Initializer init,
                          Layout layout, const Shape& file_grid) {
  check_name(name);
  Tensor value = Tensor::zeros(shape);
  value.set_requires_grad(true);
  tensors_.push_back(std::make_unique<NamedParameter>(
      NamedParameter{name, value, layout, init, file_grid, false, true}));
  return tensors_.back()->tensor;
}

Tensor& Module::buffer(const std::string& name, Tensor value, bool in_state_dict) {
  check_name(name);
  tensors_.push_back(std::make_unique<NamedParameter>(
      NamedParameter{name, std::move(value), Layout::Vector, {}, {}, true, in_state_dict}));
  return tensors_.back()->tensor;
}

void Module::add_child(const std::string& name, std::unique_ptr<Module> module) {
  check_name(name);
  children_.emplace_back(name, std::move(module));
}

void Module::collect(const std::string& prefix, bool buffers,
                     std::vector<NamedParameter>& out) const {
  for (const auto& tensor : tensors_) {
    if (tensor->is_buffer != buffers) continue;
    out.push_back(*tensor);
    out.back().name = prefix + tensor->name;
  }
  for (const auto& [name, module] : children_) module->collect(prefix + name + ".", buffers, out);
}

std::vector<NamedParameter> Module::named_parameters() const {
  std::vector<NamedParameter> out;
  collect("", false, out);
  return out;
}

std::vector<NamedParameter> Module::named_buffers() const {
  std::vector<NamedParameter> out;
  collect("", true, out);
  return out;
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> out;
  for (const NamedParameter& p : named_parameters()) out.push_back(p.tensor);
  return out;
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  for (const Tensor& p : parameters()) count += p.numel();
  return count;
}

void Module::train(bool on) {
  training_ = on;
  for (auto& entry : children_) entry.second->train(on);
}

void Module::zero_grad() const {
  for (const Tensor& p : parameters()) p.zero_grad();
}

void Module::set_requires_grad(bool on) {
  for (auto& tensor : tensors_)
    if (!tensor->is_buffer) tensor->tensor.set_requires_grad(on);
  for (auto& entry : children_) entry.second->set_requires_grad(on);
}

template <class Target>
void Module::convert(Target target) {
  for (auto& entry : tensors_) {
    Tensor& tensor = entry->tensor;
    if (!is_floating(tensor.dtype())) continue;
    const bool trained = tensor.requires_grad();
    tensor = tensor.detach().to(target);
    if (trained) tensor.set_requires_grad(true);
  }
  for (auto& entry : children_) entry.second->convert(target);
}

void Module::to(Dtype dtype) {
  check(dtype == Dtype::F32 || dtype == Dtype::F64, "[module] parameters are f32 or f64, not",
        dtype);
  convert(dtype);
}
void Module::to(Device device) { convert(device); }

Device Module::device() const {
  for (const auto& tensor : tensors_)
    if (!tensor->is_buffer) return tensor->tensor.device();
  for (const auto& entry : children_)
    if (entry.second->parameter_count() > 0) return entry.second->device();
  return kCpu;
}

void Module::visit(const std::function<void(const std::string&, Module&)>& f) {
  f("", *this);
  for (auto& entry : children_) {
    const std::string& name = entry.first;
    entry.second->visit([&](const std::string& below, Module& module) {
      f(below.empty() ? name : name + "." + below, module);
    });
  }
}

}  // namespace ditto::nn
