#include "core/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace ditto {
namespace {

using testing::contains;
using testing::read_file;
using testing::TempDir;
using testing::write_file;

int files_in(const TempDir& dir) {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir.path()))
    ++count;
  return count;
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, std::span(&text, 1));
}

}  // namespace

TEST_CASE("reads are positioned and complete") {
  TempDir dir;
  write_file(dir / "x", "0123456789");
  const InputFile file(dir / "x");
  REQUIRE(file.size() == 10);
  std::string text(4, ' ');
  file.read(3, text.data(), 4);
  REQUIRE(text == "3456");
  file.read(0, text.data(), 4);
  REQUIRE(text == "0123");
  REQUIRE_NOTHROW(file.read(10, text.data(), 0));
  REQUIRE_THROWS_WITH(file.read(8, text.data(), 4),
                      contains("[file] ends early: " + (dir / "x").string() + " at byte 10"));
}

TEST_CASE("a file that shrinks after opening is an error, not a crash") {
  TempDir dir;
  write_file(dir / "x", std::string(100'000, 'x'));
  const InputFile file(dir / "x");
  REQUIRE(truncate((dir / "x").c_str(), 50'000) == 0);
  std::string text(100'000, ' ');
  REQUIRE_THROWS_WITH(file.read(0, text.data(), file.size()), contains("ends early"));
}

TEST_CASE("only regular files are opened") {
  TempDir dir;
  REQUIRE_THROWS_WITH(InputFile(dir / "none"), contains("[file] cannot open"));
  REQUIRE_THROWS_WITH(InputFile(dir / "none"), contains("none: No such file or directory"));
  REQUIRE_THROWS_WITH(InputFile(dir.path()), contains("[file] not a regular file: "));
  REQUIRE_THROWS_WITH(InputFile("/dev/null"), contains("[file] not a regular file: /dev/null"));
  REQUIRE(mkfifo((dir / "pipe").c_str(), 0600) == 0);
  REQUIRE_THROWS_WITH(InputFile(dir / "pipe"), contains("[file] not a regular file: "));
}

TEST_CASE("an atomic write joins its pieces and replaces the old file") {
  TempDir dir;
  const std::vector<std::string_view> pieces{"ab", "", "cde"};
  write_file_atomically(dir / "x", pieces);
  REQUIRE(read_file(dir / "x") == "abcde");
  write_text(dir / "x", "new");
  REQUIRE(read_file(dir / "x") == "new");
  write_file_atomically(dir / "empty", {});
  REQUIRE(read_file(dir / "empty").empty());
  REQUIRE(files_in(dir) == 2);
}

TEST_CASE("a new file gets the usual permissions") {
  TempDir dir;
  const mode_t mask = umask(0022);
  write_text(dir / "x", "x");
  umask(mask);
  struct stat info = {};
  REQUIRE(stat((dir / "x").c_str(), &info) == 0);
  REQUIRE((info.st_mode & 0777) == 0644);
}

TEST_CASE("a relative path without a folder works") {
  TempDir dir;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  write_text("here", "x");
  std::filesystem::current_path(before);
  REQUIRE(read_file(dir / "here") == "x");
}

TEST_CASE("a failed write names path and reason, keeps the old and leaves no temporary file") {
  TempDir dir;
  REQUIRE_THROWS_WITH(write_text(dir / "no" / "x", "x"), contains("[file] cannot create "));
  REQUIRE_THROWS_WITH(write_text(dir / "no" / "x", "x"), contains("No such file or directory"));
  std::filesystem::create_directory(dir / "folder");
  write_file(dir / "folder" / "old", "old");
  REQUIRE_THROWS_WITH(write_text(dir / "folder", "x"),
                      contains("[file] cannot replace " + (dir / "folder").string()));
  REQUIRE(files_in(dir) == 1);
  REQUIRE(read_file(dir / "folder" / "old") == "old");
}

}  // namespace ditto
