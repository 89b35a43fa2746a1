// Whole files in and out: size-limited reading, and writing that leaves either the old or the new
// content, never half of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace ditto::apps {

// The bytes of a regular file. Throws Error when it is missing, unreadable, no regular file (a
// folder, a pipe) or larger than `limit` bytes.
std::string read_file(const std::filesystem::path& path, int64_t limit = int64_t{1} << 30);

// write_file_atomically (core/file.h) of one piece. Throws Error (no such folder, disk full, ...),
// and then leaves the old file as it was.
void write_file(const std::filesystem::path& path, std::string_view content);

// Throws Error "[op] PATH: WHY" with the text of the errno value `error`.
[[noreturn]] void fail_errno(const char* op, const std::filesystem::path& path, int error);

}  // namespace ditto::apps
