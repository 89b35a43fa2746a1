// What a result depends on besides the configuration: program, machine and libraries.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/common/json.h"

namespace ditto::apps {

// Command line, start time, revision, compiler and flags, CPU, cores, threads, memory, system and
// library versions. What cannot be found out is left out or "unknown"; nothing here throws.
Json describe_environment(const std::vector<std::string>& arguments);

// Physical memory that this process occupies now, in bytes; 0 when unknown.
int64_t resident_bytes();

// The local time now: "2026-03-01T14:05:09+0100".
std::string timestamp();

// Arguments as one line that a shell reads back: quoted where necessary.
std::string shell_line(const std::vector<std::string>& arguments);

}  // namespace ditto::apps
