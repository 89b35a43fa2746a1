// File and line of a machine instruction of this program, from its debug information.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ditto::emulation {

// For each of `pcs` {file, line}. They are return addresses: the call before is meant. Of inlined
// functions the innermost counts that is not part of the emulation itself. {"", 0} where there is
// no debug information. Uses the program llvm-addr2line (Debian: llvm), else addr2line (binutils),
// which takes 10 seconds where llvm's takes a fifth of one; once per address.
std::vector<std::pair<std::string, int>> symbolise(std::span<void* const> pcs);
std::pair<std::string, int> symbolise(const void* pc);

}  // namespace ditto::emulation
