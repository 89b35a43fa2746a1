// What this binary was built from and how. The values are written at build time (build_info.cmake).
#pragma once

#include <string>

namespace ditto::apps {

struct BuildInfo {
  const char* version;       // of the project, "0.1.0"
  const char* git_revision;  // 40 hex digits, or "unknown" outside a git checkout
  bool git_dirty;            // tracked files differed from that revision when this was built
  const char* build_type;    // "Release"
  const char* flags;         // compiler flags
  const char* sanitizers;    // "" or "address,undefined"
};

// Defined in the generated build_info.cpp.
extern const BuildInfo kBuildInfo;

// "0.1.0 (git 1234567890ab, modified; g++ 12.2.0, Release)"
std::string version_text();
// "g++ 12.2.0", "clang 14.0.6".
std::string compiler_text();

}  // namespace ditto::apps
