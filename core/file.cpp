#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/failpoint.h"

namespace ditto {
namespace {

constexpr const char* kTemporary = ".tmp-";

[[noreturn]] void fail_errno(const char* action, const std::filesystem::path& path, int code) {
  throw FileError(std::string("[file] cannot ") + action + " " + printable(path.string()) + ": " +
                      std::strerror(code),
                  code);
}

int sync(int descriptor) {
  if (const int code = Failpoint::at(FileCall::Sync)) return code;
  return fsync(descriptor) == 0 ? 0 : errno;
}

int rename_path(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (const int code = Failpoint::at(FileCall::Rename)) return code;
  return rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

// A new file that disappears again unless it is renamed.
class TempFile {
 public:
  explicit TempFile(const std::filesystem::path& target) {
    static std::atomic<int> counter{0};
    path_ = target;
    path_ += kTemporary + std::to_string(getpid()) + "-" + std::to_string(counter++);
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
    if (const int code = write_fully(descriptor_, bytes)) fail_errno("write", path_, code);
  }
  void rename_to(const std::filesystem::path& target) {
    if (const int code = sync(descriptor_)) fail_errno("sync", path_, code);
    // Network file systems report a failed write here at the latest.
    if (close(std::exchange(descriptor_, -1)) != 0) fail_errno("close", path_, errno);
    if (const int code = rename_path(path_, target)) fail_errno("replace", target, code);
    path_.clear();
  }

 private:
  std::filesystem::path path_;
  int descriptor_;
};

std::filesystem::path parent_of(const std::filesystem::path& path) {
  // "runs/x/" has an empty last part.
  const std::filesystem::path parent =
      path.has_filename() ? path.parent_path() : path.parent_path().parent_path();
  return parent.empty() ? "." : parent;
}

}  // namespace

bool FileError::tells_of_damage() const {
  return code_ == ENOENT || code_ == ENOTDIR || code_ == EISDIR || code_ == ELOOP || code_ == EIO;
}

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
  sync_path(parent_of(path));
}

bool is_temporary_file(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  const size_t at = name.rfind(kTemporary);
  return at != std::string::npos && at > 0 &&
         name.find_first_not_of("0123456789-", at + std::string_view(kTemporary).size()) ==
             std::string::npos;
}

int write_fully(int descriptor, std::string_view bytes) {
  if (bytes.empty()) return 0;
  if (Failpoint::tears_next_write()) {
    const std::string_view half = bytes.substr(0, bytes.size() / 2);
    if (!half.empty() && ::write(descriptor, half.data(), half.size()) < 0) return errno;
  }
  if (const int code = Failpoint::at(FileCall::Write)) return code;
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(done));
  }
  return 0;
}

void sync_path(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_errno("open", path, errno);
  const int code = sync(descriptor);
  close(descriptor);
  // Some file systems cannot sync folders and say EINVAL.
  if (code != 0 && code != EINVAL) fail_errno("sync", path, code);
}

void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (const int code = rename_path(from, to)) fail_errno("rename", from, code);
  sync_path(parent_of(to));
}

void make_folder(const std::filesystem::path& folder) {
  const int injected = Failpoint::at(FileCall::MakeFolder);
  if (injected != 0 || mkdir(folder.c_str(), 0777) != 0) {
    const int code = injected != 0 ? injected : errno;
    if (code != EEXIST || !std::filesystem::is_directory(folder))
      fail_errno("create folder", folder, code);
    return;
  }
  sync_path(parent_of(folder));
}

void remove_folder(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto is_folder = [&](const fs::path& path) {
    return fs::is_directory(fs::symlink_status(path, error));  // never through a link
  };
  const auto remove_one = [](const fs::path& path) {
    if (const int code = Failpoint::at(FileCall::Remove)) fail_errno("remove", path, code);
    if (std::remove(path.c_str()) != 0 && errno != ENOENT) fail_errno("remove", path, errno);
  };
  if (!is_folder(folder)) return;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    entries.push_back(it->path());
  if (error) fail_errno("list", folder, error.value());
  for (const fs::path& entry : entries) is_folder(entry) ? remove_folder(entry) : remove_one(entry);
  remove_one(folder);
}

}  // namespace ditto
