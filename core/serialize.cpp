#include "core/serialize.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/safetensors_header.h"

namespace ditto {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

// Position of a dtype in the file: wider alignment first, as the format's own writer sorts.
int file_order(Dtype dtype) {
  constexpr Dtype kOrder[] = {Dtype::I64,  Dtype::F64, Dtype::F32, Dtype::I32,
                              Dtype::BF16, Dtype::F16, Dtype::U8,  Dtype::Bool};
  return static_cast<int>(std::ranges::find(kOrder, dtype) - kOrder);
}

Tensor read_tensor(const InputFile& file, const TensorEntry& entry, int64_t data_start) {
  const Dtype dtype = dtype_of_safetensors(entry.dtype);
  check(entry.shape.size() <= Shape::kMaxRank,
        "[safetensors] more than 8 dimensions:", entry.shape.size(), "in", printable(entry.name));
  Shape shape;
  // The header parser has checked that the product fits, so each size does.
  for (uint64_t size : entry.shape) shape.push_back(static_cast<int64_t>(size));
  Tensor tensor = Tensor::empty(shape, dtype);
  auto* bytes = static_cast<uint8_t*>(tensor.view().data);
  const auto count = static_cast<int64_t>(entry.end - entry.begin);
  file.read(data_start + static_cast<int64_t>(entry.begin), bytes, count);
  // A C++ bool with another bit pattern is undefined behaviour.
  if (dtype == Dtype::Bool)
    check(std::all_of(bytes, bytes + count, [](uint8_t b) { return b <= 1; }),
          "[safetensors] BOOL byte is neither 0 nor 1:", printable(entry.name));
  return tensor;
}

SafetensorsFile load(const InputFile& file) {
  const auto size = static_cast<uint64_t>(file.size());
  check(size >= 8, "[safetensors] file is shorter than 8 bytes:", size);
  uint64_t header_bytes = 0;
  file.read(0, &header_bytes, 8);
  check(header_bytes <= kMaxHeaderBytes,
        "[safetensors] header is longer than 100 MB:", header_bytes);
  check(header_bytes <= size - 8, "[safetensors] header is longer than the file:", header_bytes,
        "bytes, file", size);
  std::string json(header_bytes, '\0');
  file.read(8, json.data(), static_cast<int64_t>(header_bytes));
  SafetensorsHeader header = parse_safetensors_header(json, size - 8 - header_bytes);

  SafetensorsFile out;
  out.metadata = std::move(header.metadata);
  for (const TensorEntry& entry : header.tensors)
    out.tensors[entry.name] = read_tensor(file, entry, static_cast<int64_t>(8 + header_bytes));
  return out;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                      const Metadata& metadata) {
  std::vector<std::pair<std::string, Tensor>> sorted;
  for (const auto& [name, tensor] : tensors) {
    check(tensor.defined(), "[safetensors] undefined tensor:", printable(name));
    sorted.emplace_back(name, tensor.detach().to(kCpu).contiguous());
  }
  // Stable: names are in order already.
  std::ranges::stable_sort(sorted, {}, [](const auto& p) { return file_order(p.second.dtype()); });

  SafetensorsHeader header{.metadata = metadata, .tensors = {}};
  uint64_t position = 0;
  for (const auto& [name, tensor] : sorted) {
    const auto bytes = static_cast<uint64_t>(tensor.numel() * size_of(tensor.dtype()));
    header.tensors.push_back({.name = name,
                              .dtype = safetensors_name(tensor.dtype()),
                              .shape = {tensor.shape().begin(), tensor.shape().end()},
                              .begin = position,
                              .end = position + bytes});
    position += bytes;
  }
  const std::string json = format_safetensors_header(header);
  const uint64_t header_bytes = json.size();
  std::vector<std::string_view> pieces{{reinterpret_cast<const char*>(&header_bytes), 8}, json};
  for (size_t i = 0; i < sorted.size(); ++i)
    pieces.emplace_back(static_cast<const char*>(sorted[i].second.view().data),
                        header.tensors[i].end - header.tensors[i].begin);
  write_file_atomically(path, pieces);
}

SafetensorsFile load_safetensors(const std::filesystem::path& path) {
  const InputFile file(path);
  try {
    return load(file);
  } catch (const Error& error) {
    throw Error("[load_safetensors] " + printable(path.string()) + ": " + error.what());
  }
}

}  // namespace ditto
