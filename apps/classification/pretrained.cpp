#include "apps/classification/pretrained.h"

#include "core/serialize.h"

namespace ditto::apps {

nn::LoadReport load_pretrained(nn::Module& model, const std::filesystem::path& path) {
  std::vector<nn::StateEntry> entries;
  for (const auto& [name, tensor] : load_safetensors(path).tensors)
    entries.push_back({name, tensor});
  try {
    return nn::load_state_dict(model, entries, true, {"fc.", "classifier."});
  } catch (const Error& error) {
    fail("[pretrained] " + path.string() + " does not fit the model: " + error.what());
  }
}

std::string pretrained_text(const std::filesystem::path& path, const nn::LoadReport& report) {
  const auto count = [](size_t n) { return std::to_string(n) + (n == 1 ? " tensor" : " tensors"); };
  std::string text = path.string() + ": loaded " + count(report.loaded.size()) + ":";
  for (const std::string& name : report.loaded) text += " " + name;
  std::string skipped;
  size_t skips = 0;
  const auto skip = [&](const std::string& name, const char* reason) {
    skipped += "\n  " + name + reason;
    ++skips;
  };
  for (const std::string& name : report.mismatched) skip(name, ": keeps its first values");
  for (const std::string& name : report.missing) skip(name, ": not in the file");
  for (const std::string& name : report.unexpected) skip(name, ": not in the model");
  return text + "\nskipped " + count(skips) + (skips ? ":" : "") + skipped;
}

}  // namespace ditto::apps
