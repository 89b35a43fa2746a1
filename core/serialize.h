// Named tensors in a file: safetensors, the format of PyTorch's ecosystem
// (https://github.com/huggingface/safetensors).
//
// Tensors are written as they are; that nn's weights have PyTorch's names and order in a file is
// the business of nn/module.h. Reading never trusts the file: every rule of the format is checked,
// and the memory used is at most that of the file.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/tensor.h"

namespace ditto {

using TensorMap = std::map<std::string, Tensor>;
using Metadata = std::map<std::string, std::string>;

struct SafetensorsFile {
  TensorMap tensors;
  Metadata metadata;
};

// Writes the tensors (any device, any strides, any dtype) in row-major order. The file appears
// complete or not at all. Throws "[safetensors] ..." with the tensor or "[file] ..." with the path.
void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                      const Metadata& metadata = {});

// Reads all tensors, as f32, f64, f16, bf16, i32, i64, u8 or bool, onto the CPU. Throws
// "[load_safetensors] <path>: <rule>" for a malformed file or a dtype that ditto does not have.
SafetensorsFile load_safetensors(const std::filesystem::path& path);

}  // namespace ditto
