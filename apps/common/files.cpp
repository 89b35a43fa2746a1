#include "apps/common/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace ditto::apps {
namespace {

// Closes a descriptor at the end of the scope.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

void fail_errno(const char* op, const std::filesystem::path& path, int error) {
  throw Error(fmt::format("[{}] {}: {}", op, path.string(), std::strerror(error)));
}

std::string read_file(const std::filesystem::path& path, int64_t limit) {
  // Non-blocking: opening a named pipe must not hang before we can see that it is one.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail_errno("read_file", path, errno);
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) fail_errno("read_file", path, errno);
  if (!S_ISREG(info.st_mode))
    throw Error(fmt::format("[read_file] {}: not a regular file", path.string()));
  const auto too_large = [&] {
    throw Error(
        fmt::format("[read_file] {}: larger than the limit of {} bytes", path.string(), limit));
  };
  if (info.st_size > limit) too_large();
  std::string content;
  content.reserve(static_cast<size_t>(info.st_size));
  // The size may change while we read (a log that grows), so read to the end rather than st_size.
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::read(file.fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno("read_file", path, errno);
    if (got == 0) return content;
    content.append(buffer, static_cast<size_t>(got));
    if (static_cast<int64_t>(content.size()) > limit) too_large();
  }
}

int write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t wrote = ::write(fd, content.data(), content.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno;
    content.remove_prefix(static_cast<size_t>(wrote));
  }
  return 0;
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::path temporary = path;
  temporary += fmt::format(".tmp{}", ::getpid());
  int error = 0;
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) fail_errno("write_file", path, errno);
  error = write_all(fd, content);
  if (::close(fd) != 0 && error == 0) error = errno;  // NFS and quotas report a full disk here
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    fail_errno("write_file", path, error);
  }
}

}  // namespace ditto::apps
