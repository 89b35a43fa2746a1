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

// The first of the prefixes that the name starts with, or null.
const std::string* prefix_of(const std::string& name, const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes)
    if (name.rfind(prefix, 0) == 0) return &prefix;
  return nullptr;
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

LoadReport load_state_dict(Module& module, const std::vector<StateEntry>& entries, bool strict,
                           const std::vector<std::string>& head) {
  std::map<std::string, const StateEntry*> given;
  for (const StateEntry& entry : entries) given[entry.name] = &entry;
  LoadReport report;
  struct Copy {
    std::string name;
    Tensor target, source;
  };
  std::vector<Copy> copies;
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
      copies.push_back(
          {p.name, p.tensor.detach(), to_memory_layout(source, p.layout, p.file_grid)});
    given.erase(found);
  }
  for (const auto& [name, entry] : given) report.unexpected.push_back(name);

  // What is wrong outside the heads; and heads of which something does not fit.
  LoadReport wrong;
  std::vector<std::string> replaced;
  for (auto list : {&LoadReport::missing, &LoadReport::unexpected, &LoadReport::mismatched}) {
    for (const std::string& name : report.*list) {
      const std::string* part = prefix_of(name, head);
      part ? replaced.push_back(*part) : (wrong.*list).push_back(name);
    }
  }
  if (strict && !wrong.ok())
    fail("[load_state_dict] missing: " + join(wrong.missing) +
         "; unexpected: " + join(wrong.unexpected) + "; mismatched: " + join(wrong.mismatched));
  for (Copy& copy : copies) {
    if (const std::string* part = prefix_of(copy.name, replaced)) {
      report.mismatched.push_back(copy.name + " (the rest of " + *part + " does not fit)");
      continue;
    }
    copy.target.copy_(copy.source);
    report.loaded.push_back(copy.name);
  }
  return report;
}

}  // namespace ditto::nn
