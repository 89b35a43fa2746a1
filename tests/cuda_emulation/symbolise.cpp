#include "tests/cuda_emulation/symbolise.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

namespace ditto::emulation {
namespace {

std::pair<std::string, int> look_up(const char* program, uintptr_t offset) {
  char command[4096 + 64];
  std::snprintf(command, sizeof command, "addr2line -i -e '%s' 0x%zx 2>/dev/null", program,
                static_cast<size_t>(offset));
  FILE* pipe = popen(command, "r");
  if (!pipe) return {};
  std::pair<std::string, int> place;
  char line[4096];
  while (std::fgets(line, sizeof line, pipe)) {  // path:line, innermost first
    const std::string text = line;
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos || text[0] == '?') continue;
    if (!place.first.empty()) continue;  // read to the end, or addr2line dies of a broken pipe
    const std::string file = text.substr(0, colon);
    if (file.find("/cuda_emulation/device") != std::string::npos) continue;
    place = {file, std::atoi(text.c_str() + colon + 1)};
  }
  pclose(pipe);
  return place;
}

}  // namespace

std::pair<std::string, int> symbolise(const void* pc) {
  static std::mutex mutex;
  static std::map<const void*, std::pair<std::string, int>> known;
  std::lock_guard lock(mutex);
  auto [entry, is_new] = known.try_emplace(pc);
  Dl_info info{};
  if (is_new && dladdr(pc, &info) && info.dli_fname) {
    const auto base = reinterpret_cast<uintptr_t>(info.dli_fbase);
    const auto address = reinterpret_cast<uintptr_t>(pc) - 1;
    // A program that is not position independent is linked for its addresses, not from zero.
    entry->second = look_up(info.dli_fname, address - base);
    if (entry->second.first.empty()) entry->second = look_up(info.dli_fname, address);
  }
  return entry->second;
}

}  // namespace ditto::emulation
