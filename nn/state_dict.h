// State of a module as named tensors in PyTorch's names and order: the boundary between NHWC memory
// and files.
#pragma once

#include <string>
#include <vector>

#include "nn/module.h"

namespace ditto::nn {

struct StateEntry {
  std::string name;
  Tensor tensor;  // a copy in PyTorch's layout, e.g. convolution weights (O, I, kH, kW)
};

// Parameters and buffers, in registration order within each module.
std::vector<StateEntry> state_dict(const Module& module);

struct LoadReport {
  std::vector<std::string> loaded;
  std::vector<std::string> missing, unexpected, mismatched;  // the last with the reason
  bool ok() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
};

// Copies entries into the module where name, shape and dtype kind agree. Floating dtypes are
// converted. `strict` throws with the full list when anything is missing, unexpected or mismatched,
// before a single value is changed.
//
// `head` names parts that may differ even so, by prefixes such as "fc.": a head of which any tensor
// does not fit is left out as a whole, keeps its values, and is reported.
LoadReport load_state_dict(Module& module, const std::vector<StateEntry>& entries,
                           bool strict = true, const std::vector<std::string>& head = {});

// PyTorch order <-> memory order of one tensor.
Tensor to_file_layout(const Tensor& memory, Layout layout, const Shape& grid);
Tensor to_memory_layout(const Tensor& file, Layout layout, const Shape& grid);

}  // namespace ditto::nn
