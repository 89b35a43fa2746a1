#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "core/error.h"

namespace ditto {
namespace {

[[noreturn]] void fail_errno(const char* action, const std::filesystem::path& path, int code) {
  fail(std::string("[file] cannot ") + action, printable(path.string()) + ":", std::strerror(code));
}

// A new file that disappears again unless it is renamed.
class TempFile {
 public:
  explicit TempFile(const std::filesystem::path& target) {
    static std::atomic<int> counter{0};
    path_ = target;
    path_ += ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(counter++);
    descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail_errno("create", path_, errno);
  }
  ~TempFile() {
    if (descriptor_ >= 0) close(descriptor_);
    if (!path_.empty()) unlink(path_.c_str());
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) fail_errno("write", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(done));
    }
  }
  void rename_to(const std::filesystem::path& target) {
    if (fsync(descriptor_) != 0) fail_errno("sync", path_, errno);
    // Network file systems report a failed write here at the latest.
    if (close(std::exchange(descriptor_, -1)) != 0) fail_errno("close", path_, errno);
    if (rename(path_.c_str(), target.c_str()) != 0) fail_errno("replace", target, errno);
    path_.clear();
  }

 private:
  std::filesystem::path path_;
  int descriptor_;
};

// Makes a rename in the folder survive a power cut.
void sync_folder(std::filesystem::path folder) {
  if (folder.empty()) folder = ".";
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail_errno("open folder", folder, errno);
  const int code = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  // Some file systems cannot sync folders and say EINVAL.
  if (code != 0 && code != EINVAL) fail_errno("sync folder", folder, code);
}

}  // namespace

InputFile::InputFile(const std::filesystem::path& path) : path_(path) {
  // Without O_NONBLOCK opening a pipe would wait for its writer, perhaps forever.
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail_errno("open", path, errno);
  struct stat info = {};
  if (fstat(descriptor_, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(descriptor_);
    fail("[file] not a regular file:", printable(path.string()));
  }
  size_ = info.st_size;
}

InputFile::~InputFile() { close(descriptor_); }

void InputFile::read(int64_t offset, void* to, int64_t bytes) const {
  char* target = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t done = pread(descriptor_, target, static_cast<size_t>(bytes), offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_errno("read", path_, errno);
    check(done > 0, "[file] ends early:", printable(path_.string()), "at byte", offset);
    target += done;
    offset += done;
    bytes -= done;
  }
}

void write_file_atomically(const std::filesystem::path& path,
                           std::span<const std::string_view> pieces) {
  TempFile file(path);
  for (std::string_view piece : pieces) file.write(piece);
  file.rename_to(path);
  sync_folder(path.parent_path());
}

}  // namespace ditto
