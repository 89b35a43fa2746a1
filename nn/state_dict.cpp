#include "nn/state_dict.h"

#include <map>

#include "autograd/grad_mode.h"
#include "autograd/ops/shape_ops.h"

namespace ditto::nn {
namespace {

std::vector<NamedParameter> everything(const Module& module) {
  std::vector<NamedParameter> all = module.named_parameters();
  for (NamedParameter& buffer : module.named_buffers())
    if (buffer.in_state_dict) all.push_back(std::move(buffer));
  return all;
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Tensor to_file_layout(const Tensor& memory, Layout layout, const Shape& grid) {
  NoGrad guard;
  const Tensor x = memory.detach();
  switch (layout) {
    case Layout::ConvWeight:
      return permute(x, {0, 3, 1, 2});
    case Layout::LinearFlatten:
      return reshape(permute(reshape(x, {x.dim(0), grid[0], grid[1], grid[2]}), {0, 3, 1, 2}),
                     x.shape());
    default:
      return x.clone();
  }
}

Tensor to_memory_layout(const Tensor& file, Layout layout, const Shape& grid) {
  NoGrad guard;
  const Tensor x = file.detach();
  switch (layout) {
    case Layout::ConvWeight:
      return permute(x, {0, 2, 3, 1});
    case Layout::LinearFlatten:
      return reshape(permute(reshape(x, {x.dim(0), grid[2], grid[0], grid[1]}), {0, 2, 3, 1}),
                     x.shape());
    default:
      return x;
  }
}

std::vector<StateEntry> state_dict(const Module& module) {
  std::vector<StateEntry> out;
  for (const NamedParameter& p : everything(module))
    out.push_back({p.name, to_file_layout(p.tensor, p.layout, p.file_grid)});
  return out;
}

LoadReport load_state_dict(Module& module, const std::vector<StateEntry>& entries, bool strict) {
  std::map<std::string, const StateEntry*> given;
  for (const StateEntry& entry : entries) given[entry.name] = &entry;
  LoadReport report;
  std::vector<std::pair<Tensor, Tensor>> copies;
  for (const NamedParameter& p : everything(module)) {
    const auto found = given.find(p.name);
    if (found == given.end()) {
      report.missing.push_back(p.name);
      continue;
    }
    const Tensor& source = found->second->tensor;
    // Shapes are compared in file order, before anything is permuted.
    const Shape expected = to_file_layout(p.tensor, p.layout, p.file_grid).shape();
    const bool integral = p.tensor.dtype() == Dtype::I64;
    if (!(source.shape() == expected) || integral != (source.dtype() == Dtype::I64))
      report.mismatched.push_back(p.name + " (model " + to_string(p.tensor.dtype()) + " " +
                                  to_string(expected) + ", file " + to_string(source.dtype()) +
                                  " " + to_string(source.shape()) + ")");
    else
      copies.emplace_back(p.tensor.detach(), to_memory_layout(source, p.layout, p.file_grid));
    given.erase(found);
  }
  for (const auto& [name, entry] : given) report.unexpected.push_back(name);
  if (strict && !report.ok())
    fail("[load_state_dict] missing: " + join(report.missing) +
         "; unexpected: " + join(report.unexpected) + "; mismatched: " + join(report.mismatched));
  for (auto& [target, source] : copies) target.copy_(source);
  return report;
}

}  // namespace ditto::nn
