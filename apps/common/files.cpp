#include "apps/common/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/file.h"

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
  throw FileError(fmt::format("[{}] {}: {}", op, path.string(), std::strerror(error)), error);
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

void write_file(const std::filesystem::path& path, std::string_view content) {
  write_file_atomically(path, {&content, 1});
}

}  // namespace ditto::apps
