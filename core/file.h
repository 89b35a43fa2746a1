// Files as the formats need them: positioned reads that notice a shrinking file, and writes that
// either replace the whole file or leave the old one.
//
// Reads use pread, not mmap: a file that shrinks under mmap kills the process (SIGBUS), here it is
// an ordinary error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace ditto {

class InputFile {
 public:
  // Throws "[file] cannot open" or "[file] not a regular file" with the path.
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // Bytes, as of opening.
  int64_t size() const { return size_; }
  // Reads exactly `bytes` bytes at `offset`; throws when the file ends before.
  void read(int64_t offset, void* to, int64_t bytes) const;

 private:
  std::filesystem::path path_;
  int descriptor_;
  int64_t size_;
};

// Makes `path` hold the pieces one after the other. They go to a new file in the same folder, which
// is synced and then renamed over `path`: after a crash the old or the new content is there, never
// a part. Throws "[file] cannot ..." with path and reason, and then leaves no temporary file.
void write_file_atomically(const std::filesystem::path& path,
                           std::span<const std::string_view> pieces);

}  // namespace ditto
