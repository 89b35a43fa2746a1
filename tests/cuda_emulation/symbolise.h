// File and line of a machine instruction of this program, from its debug information.
#pragma once

#include <string>
#include <utility>

namespace ditto::emulation {

// `pc` is a return address: the call before it is meant. Of inlined functions the innermost counts
// that is not part of the emulation itself. {"", 0} where there is no debug information. Uses the
// program addr2line (Debian: binutils), once per address.
std::pair<std::string, int> symbolise(const void* pc);

}  // namespace ditto::emulation
