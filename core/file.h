// Files as the formats need them: positioned reads that notice a shrinking file, and writes that
// either replace the whole file or leave the old one.
//
// Reads use pread, not mmap: a file that shrinks under mmap kills the process (SIGBUS), here it is
// an ordinary error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace ditto {

// What the operating system refused; code() is the errno value.
class FileError : public Error {
 public:
  FileError(const std::string& what, int code) : Error(what), code_(code) {}
  int code() const { return code_; }
  // Says that the file is not as it should be (missing, no file, cannot be read from its disk), and
  // not that this process may not or cannot open it now (permissions, too many open files).
  bool tells_of_damage() const;

 private:
  int code_;
};

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
// Is this the name of a temporary file that an interrupted write_file_atomically left behind?
bool is_temporary_file(const std::filesystem::path& path);

// Writes all bytes to a descriptor. Returns 0 or the errno value.
int write_fully(int descriptor, std::string_view bytes);

// Changes of folders, each of which survives a power cut once the call has returned. All throw
// "[file] cannot ..." with path and reason.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);
// The parent must exist; a folder that exists is fine.
void make_folder(const std::filesystem::path& folder);
// Removes the folder and everything in it; nothing happens when it is not there.
void remove_folder(const std::filesystem::path& folder);
// Makes what was written to a file, or to the names in a folder, survive a power cut.
void sync_path(const std::filesystem::path& path);

}  // namespace ditto
