// The JSON header of a safetensors file: parsing with every rule of the format, and writing.
//
// The header comes from strangers, so nothing in it is believed: it is parsed as a stream of events
// (never as a tree), unknown or duplicate keys are errors, numbers must be unsigned integers, and
// the tensors must tile the data exactly. Format: https://github.com/huggingface/safetensors
// (README, "Format").
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"

namespace ditto {

struct TensorEntry {
  std::string name;
  std::string dtype;  // as in the file, e.g. "F32"
  std::vector<uint64_t> shape;
  uint64_t begin = 0, end = 0;  // bytes, from the start of the data
};

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::vector<TensorEntry> tensors;  // in the order of their data
};

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

// Parses and checks `json`, for a file with `data_bytes` bytes after the header. Throws
// "[safetensors] <rule>: <values>" for every violation.
SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t data_bytes);

// The compact JSON of the header, padded with spaces to a multiple of 8 bytes. Entries must be
// in the order of their data. Throws for names that parse_safetensors_header would refuse.
std::string format_safetensors_header(const SafetensorsHeader& header);

// The name of `dtype` in the file.
std::string safetensors_name(Dtype dtype);
// The dtype of that name; throws "unsupported dtype" for the format's other dtypes.
Dtype dtype_of_safetensors(std::string_view name);

}  // namespace ditto
