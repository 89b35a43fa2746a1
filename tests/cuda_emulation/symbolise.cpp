#include "tests/cuda_emulation/symbolise.h"

#include <dlfcn.h>
#include <elf.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

namespace ditto::emulation {
namespace {

using Place = std::pair<std::string, int>;

// Where the addresses of one file (a program or library), as it was linked, are in the source.
std::vector<Place> look_up(const std::string& file, const std::vector<uintptr_t>& addresses) {
  std::string command = "tool=llvm-addr2line; command -v $tool >/dev/null || tool=addr2line; ";
  command += "$tool -a -i -e '" + file + "'";
  for (const uintptr_t address : addresses) {
    char text[24];
    std::snprintf(text, sizeof text, " 0x%zx", static_cast<size_t>(address));
    command += text;
  }
  std::vector<Place> places;
  FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r");
  char buffer[4096];
  while (pipe && std::fgets(buffer, sizeof buffer, pipe)) {
    const std::string line = buffer;
    if (line.starts_with("0x")) {  // the next address; then path:line, innermost first
      places.emplace_back();
      continue;
    }
    const size_t colon = line.rfind(':');
    if (places.empty() || !places.back().first.empty()) continue;
    if (colon == std::string::npos || line[0] == '?') continue;
    const std::string path = line.substr(0, colon);
    if (path.find("/cuda_emulation/device") != std::string::npos) continue;
    places.back() = {path, std::atoi(line.c_str() + colon + 1)};
  }
  if (pipe) pclose(pipe);
  places.resize(addresses.size());
  return places;
}

}  // namespace

std::vector<Place> symbolise(std::span<void* const> pcs) {
  static std::mutex mutex;
  static std::map<const void*, Place> known;
  std::lock_guard lock(mutex);
  struct Unknown {
    std::vector<const void*> pcs;
    std::vector<uintptr_t> addresses;
  };
  std::map<std::string, Unknown> unknown;  // by file
  for (const void* pc : pcs) {
    Dl_info info{};
    if (!known.try_emplace(pc).second || !dladdr(pc, &info) || !info.dli_fname) continue;
    // A program that is not position independent is linked for its addresses, others from zero.
    const bool fixed = static_cast<const Elf64_Ehdr*>(info.dli_fbase)->e_type == ET_EXEC;
    const auto base = fixed ? 0 : reinterpret_cast<uintptr_t>(info.dli_fbase);
    Unknown& of_file = unknown[info.dli_fname];
    of_file.pcs.push_back(pc);
    of_file.addresses.push_back(reinterpret_cast<uintptr_t>(pc) - 1 - base);
  }
  for (const auto& [file, of_file] : unknown) {
    const std::vector<Place> places = look_up(file, of_file.addresses);
    for (size_t i = 0; i < places.size(); ++i) known[of_file.pcs[i]] = places[i];
  }
  std::vector<Place> out;
  for (const void* pc : pcs) out.push_back(known[pc]);
  return out;
}

Place symbolise(const void* pc) {
  void* const one = const_cast<void*>(pc);
  return symbolise(std::span(&one, 1))[0];
}

}  // namespace ditto::emulation
