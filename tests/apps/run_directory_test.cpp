#include "apps/common/run_directory.h"

#include <sstream>

#include "apps/common/environment.h"
#include "apps/common/files.h"
#include "apps/common/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace ditto::apps;
using ditto::testing::contains;
using ditto::testing::TempDir;
namespace fs = std::filesystem;

namespace {

// The current folder for as long as the object lives.
class InFolder {
 public:
  explicit InFolder(const fs::path& path) : before_(fs::current_path()) { fs::current_path(path); }
  ~InFolder() { fs::current_path(before_); }

 private:
  fs::path before_;
};

struct Call {
  int64_t batch = 32;
  RunDirectoryOptions options;
  Config config;
  Call() {
    config.add("batch", &batch, "rows");
    declare(config, options);
  }
  RunDirectory make() {
    return RunDirectory(options, {"train_toy", "train", {"./train_toy", "--name", "a b"}, config});
  }
};

}  // namespace

TEST_CASE("a run directory is made with configuration and environment", "[apps]") {
  const TempDir dir;
  Call call;
  call.options.run_dir = (dir / "deep/run").string();
  RunDirectory run = call.make();
  CHECK(run.path() == dir / "deep/run");
  CHECK(read_json(run.file("config.json")) == Json({{"batch", 32}}));
  const Json environment = read_json(run.file("environment.json"));
  CHECK(environment == run.environment());
  CHECK(environment["command"] == "./train_toy --name 'a b'");
  CHECK(environment["git_revision"].get<std::string>().size() >= 7);
  CHECK(environment["git_modified"].is_boolean());
  CHECK_THAT(environment["compiler"].get<std::string>(), contains(" "));
  CHECK(environment["machine"]["cpus"].get<int>() >= 1);
  CHECK(environment["machine"]["cpus_usable"].get<int>() >= 1);
  CHECK_THAT(environment["machine"]["memory"].get<std::string>(), contains("GB"));
  CHECK_FALSE(environment["machine"]["cpu"].get<std::string>().empty());
  CHECK_THAT(environment["libraries"]["onednn"].get<std::string>(), contains("."));
  CHECK(environment["started"].get<std::string>().size() == 24);

  run.log("first line");
  run.log("second line");
  const std::vector<std::string> lines = split(read_file(run.file("log.txt")), '\n');
  REQUIRE(lines.size() == 3);
  CHECK_THAT(lines[0], contains("  first line"));
  CHECK(lines[2].empty());
  run.metrics().write("note", "cce", {{"value", 1}});
  CHECK(read_metrics(run.file("metrics.jsonl")).size() == 1);
}

TEST_CASE("without --run-dir every run gets a folder of its own under runs/", "[apps]") {
  const TempDir dir;
  const InFolder here(dir.path());
  Call call;
  const RunDirectory a = call.make(), b = call.make();  // also within the same second
  CHECK(a.path() != b.path());
  CHECK(a.path().parent_path() == "runs");
  const std::string name = a.path().filename().string();
  CHECK(name.rfind("train_toy-20", 0) == 0);
  CHECK(name.size() == std::string("train_toy-20260102-030405-1").size());
}

TEST_CASE("a folder in use is refused", "[apps]") {
  const TempDir dir;
  Call call;
  call.options.run_dir = dir.path().string();
  write_file(dir / "thesis.tex", "precious");
  CHECK_THROWS_AS(call.make(), UsageError);
  CHECK_THROWS_WITH(call.make(), contains("is not empty") && contains("--overwrite"));
  // --overwrite replaces runs, not somebody's documents.
  call.options.overwrite = true;
  CHECK_THROWS_WITH(call.make(), contains("not a run directory"));
  CHECK(read_file(dir / "thesis.tex") == "precious");
  call.options.run_dir = (dir / "thesis.tex").string();
  CHECK_THROWS_WITH(call.make(), contains("is not a folder"));
  call.options.run_dir = (dir / "thesis.tex/run").string();
  CHECK_THROWS_AS(call.make(), ditto::Error);
}

TEST_CASE("--overwrite removes the former run's files and no others", "[apps]") {
  const TempDir dir;
  Call call;
  call.options.run_dir = (dir / "run").string();
  {
    RunDirectory run = call.make();
    run.metrics().write("note", "old", Json::object());
    run.log("old");
    write_file(run.file("report.html"), "old");
    write_file(run.file("weights.safetensors"), "old");
    write_file(run.file("error.svg"), "old");
    write_file(run.file("notes.md"), "mine");
    fs::create_directory(run.file("checkpoints"));
    write_file(run.file("checkpoints/last.safetensors"), "kept");
  }
  CHECK_THROWS_AS(call.make(), UsageError);
  call.options.overwrite = true;
  RunDirectory run = call.make();
  CHECK(read_metrics(run.file("metrics.jsonl")).empty());
  CHECK_FALSE(fs::exists(run.file("report.html")));
  CHECK_FALSE(fs::exists(run.file("weights.safetensors")));
  CHECK_FALSE(fs::exists(run.file("error.svg")));
  CHECK(read_file(run.file("notes.md")) == "mine");
  CHECK(read_file(run.file("checkpoints/last.safetensors")) == "kept");
}

TEST_CASE("arguments are quoted for the shell", "[apps]") {
  CHECK(shell_line({"a", "--b=c", "x y", "", "it's", "$HOME"}) ==
        "a --b=c 'x y' '' 'it'\\''s' '$HOME'");
}

TEST_CASE("resident memory is measured", "[apps]") {
  CHECK(resident_bytes() > 1'000'000);
  CHECK(resident_bytes() < int64_t{1} << 40);
}
