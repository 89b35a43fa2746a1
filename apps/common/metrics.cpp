#include "apps/common/metrics.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>

#include "apps/common/files.h"
#include "core/error.h"
#include "core/file.h"

namespace ditto::apps {

MetricsWriter::MetricsWriter(const std::filesystem::path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) fail_errno("metrics", path, errno);
  off_t end = ::lseek(fd_, 0, SEEK_END);
  const off_t size = end;
  for (char last = 0; end > 0; --end)
    if (::pread(fd_, &last, 1, end - 1) != 1 || last == '\n') break;
  if (end < size && ::ftruncate(fd_, end) != 0) {
    const int error = errno;
    ::close(fd_);
    fail_errno("metrics", path, error);
  }
}

MetricsWriter::~MetricsWriter() { ::close(fd_); }

void MetricsWriter::write(std::string_view event, std::string_view run, const Json& fields) {
  check(fields.is_object(), "[metrics] the fields of an event are a JSON object");
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  Json line = Json::object();
  line["event"] = event;
  line["run"] = run;
  line["time"] = std::round(std::chrono::duration<double>(now).count() * 1e3) / 1e3;
  for (const auto& [key, value] : fields.items()) {
    check(!line.contains(key), "[metrics] a field must not be called", key);
    line[key] = value;
  }
  // One write call per line: with O_APPEND no reader or second writer sees a torn line.
  if (const int error = write_fully(fd_, json_line(line) + "\n"))
    fail_errno("metrics", path_, error);
}

std::vector<Json> read_metrics(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::vector<Json> events;
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    ++number;
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    Json event = parse_json(line, fmt::format("{}, line {}", path.string(), number));
    check(event.is_object(), "[metrics] not a JSON object:", path.string(), "line", number);
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace ditto::apps
