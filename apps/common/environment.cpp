#include "apps/common/environment.h"

#include <dnnl.h>
#include <dnnl_version.h>
#include <fmt/format.h>
#include <png.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include <CLI/Version.hpp>
#include <cctype>
#include <ctime>
#include <fstream>
#include <thread>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "apps/common/build_info.h"
#include "apps/common/text.h"
#include "core/context.h"

namespace ditto::apps {
namespace {

// The value of the first line "key<separator>value" of a file, without blanks and quotes around it.
std::string value_in_file(const char* path, std::string_view key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t end = line.find(separator);
    if (end == std::string::npos || line.compare(0, key.size(), key) != 0) continue;
    std::string value = line.substr(end + 1);
    const auto outer = [](char c) { return c == ' ' || c == '\t' || c == '"'; };
    while (!value.empty() && outer(value.front())) value.erase(0, 1);
    while (!value.empty() && outer(value.back())) value.pop_back();
    return value;
  }
  return "";
}

std::string or_unknown(std::string text) { return text.empty() ? "unknown" : text; }

// CPUs that the scheduler lets this process use (taskset, containers), not all that exist.
int64_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return std::thread::hardware_concurrency();
}

std::string vector_extensions() {
  std::vector<std::string> found;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) found.push_back("sse4.2");
  if (__builtin_cpu_supports("avx2")) found.push_back("avx2");
  if (__builtin_cpu_supports("fma")) found.push_back("fma");
  if (__builtin_cpu_supports("avx512f")) found.push_back("avx512f");
#endif
  return join(found, " ");
}

Json machine() {
  utsname system{};
  const bool known = ::uname(&system) == 0;
  std::string cpu = value_in_file("/proc/cpuinfo", "model name", ':');
  if (cpu.empty() && known) cpu = system.machine;
  const int64_t pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  Json json = Json::object();
  json["host"] = known ? system.nodename : "unknown";
  json["cpu"] = or_unknown(cpu);
  json["vector_extensions"] = vector_extensions();
  json["cpus"] = static_cast<int64_t>(std::thread::hardware_concurrency());
  json["cpus_usable"] = usable_cpus();
  json["threads"] = num_threads();
  if (pages > 0 && page > 0) json["memory"] = bytes_text(pages * page);
  json["system"] = or_unknown(value_in_file("/etc/os-release", "PRETTY_NAME", '='));
  if (known) json["kernel"] = fmt::format("{} {}", system.sysname, system.release);
  return json;
}

Json libraries() {
  Json json = Json::object();
  const dnnl_version_t* dnnl = dnnl_version();
  json["onednn"] = fmt::format("{}.{}.{}", dnnl->major, dnnl->minor, dnnl->patch);
#ifdef _OPENMP
  json["openmp"] = _OPENMP;  // year and month of the specification
#else
  json["openmp"] = "off";
#endif
  json["zlib"] = zlibVersion();
  json["libpng"] = png_get_libpng_ver(nullptr);
  json["fmt"] =
      fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  json["nlohmann_json"] = fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                      NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
  json["cli11"] = CLI11_VERSION;
#ifdef __GLIBC__
  json["glibc"] = gnu_get_libc_version();
#endif
  return json;
}

}  // namespace

std::string compiler_text() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string version_text() {
  const std::string revision(kBuildInfo.git_revision);
  return fmt::format("{} (git {}{}; {}, {}{}{})", kBuildInfo.version, revision.substr(0, 12),
                     kBuildInfo.git_dirty ? ", modified" : "", compiler_text(),
                     kBuildInfo.build_type, *kBuildInfo.sanitizers ? ", sanitizers " : "",
                     kBuildInfo.sanitizers);
}

Json describe_environment(const std::vector<std::string>& arguments) {
  Json json = Json::object();
  json["command"] = shell_line(arguments);
  std::error_code ignored;
  json["folder"] = std::filesystem::current_path(ignored).string();
  json["started"] = timestamp();
  json["version"] = kBuildInfo.version;
  json["git_revision"] = kBuildInfo.git_revision;
  json["git_modified"] = kBuildInfo.git_dirty;
  json["compiler"] = compiler_text();
  json["build_type"] = kBuildInfo.build_type;
  json["flags"] = kBuildInfo.flags;
  if (*kBuildInfo.sanitizers) json["sanitizers"] = kBuildInfo.sanitizers;
  json["machine"] = machine();
  json["libraries"] = libraries();
  return json;
}

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");  // in pages: total, resident, ...
  int64_t total = 0, resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * ::sysconf(_SC_PAGESIZE);
}

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[40];
  const size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &local);
  return std::string(text, length);
}

std::string shell_line(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  for (const std::string& argument : arguments) {
    bool plain = !argument.empty();
    for (char c : argument)
      plain = plain && (std::isalnum(static_cast<unsigned char>(c)) ||
                        std::string_view("-_=./,:+@%").find(c) != std::string_view::npos);
    if (plain) {
      words.push_back(argument);
      continue;
    }
    std::string quoted = "'";
    for (char c : argument) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    words.push_back(quoted + "'");
  }
  return join(words, " ");
}

}  // namespace ditto::apps
