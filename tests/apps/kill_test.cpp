// train_cifar killed at every write, fsync, rename, mkdir and removal, and at random moments; then
// resumed, until it ends with the bytes of a run that nobody disturbed. Also signals, full disks
// and runs that diverge.
//
// By itself a sample of the kills is made. DITTO_KILL_TEST=full makes all of them, and 100 at
// random moments (docs/checkpoints.md has the outcome).
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <map>

#include "apps/common/checkpoint.h"
#include "apps/common/metrics.h"
#include "apps/common/text.h"
#include "core/rng.h"
#include "tests/support/catch.h"
#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"

namespace ditto::apps {
namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::read_file;
using testing::TempDir;
using testing::write_file;

bool full_test() {
  const char* value = std::getenv("DITTO_KILL_TEST");
  return value && std::string(value) == "full";
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// CIFAR-10's files with a few random images.
void make_data(const fs::path& folder) {
  fs::create_directories(folder / "cifar-10-batches-bin");
  Rng rng(1);
  for (const char* name : {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
                           "data_batch_5", "test_batch"}) {
    std::string bytes;
    for (int image = 0; image < 8; ++image) {
      bytes += static_cast<char>(rng.below(10));
      for (int i = 0; i < 3072; ++i) bytes += static_cast<char>(rng.below(256));
    }
    write_file(folder / "cifar-10-batches-bin" / (std::string(name) + ".bin"), bytes);
  }
}

struct Ending {
  int code = -1;  // exit status; -1: ended by a signal
  int signal = 0;
  std::string output;
};
struct Disturbance {
  std::string failpoint = {};
  double signal_after = -1;  // seconds; < 0: none
  int signal = SIGKILL;
  int64_t largest_file = 0;  // bytes; 0: no limit
};

// train_cifar in a folder of its own.
class Program {
 public:
  explicit Program(std::vector<std::string> options) : options_(std::move(options)) {
    make_data(dir_ / "data");
  }

  Ending run(const std::string& run_dir, const Disturbance& disturbance = {},
             const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {testing::build_path("apps/train_cifar"),
                                      "--dataset",
                                      "cifar-10",
                                      "--data-root",
                                      (dir_ / "data").string(),
                                      "--run-dir",
                                      (dir_ / run_dir).string()};
    words.insert(words.end(), options_.begin(), options_.end());
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const std::string log = (dir_ / "output").string();
    const double start = now();
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
      dup2(out, 1);
      dup2(out, 2);
      if (!disturbance.failpoint.empty())
        setenv("DITTO_FAILPOINT", disturbance.failpoint.c_str(), 1);
      if (disturbance.largest_file > 0) {
        const rlimit limit{static_cast<rlim_t>(disturbance.largest_file),
                           static_cast<rlim_t>(disturbance.largest_file)};
        setrlimit(RLIMIT_FSIZE, &limit);
      }
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    int status = 0;
    if (disturbance.signal_after >= 0) {
      while (now() - start < disturbance.signal_after) usleep(500);
      kill(child, disturbance.signal);
    }
    waitpid(child, &status, 0);
    Ending ending{.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                  .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                  .output = read_file(log)};
    return ending;
  }
  Ending resume(const std::string& run_dir, const Disturbance& disturbance = {}) const {
    return run(run_dir, disturbance, {"--resume", "auto"});
  }

  // Everything that must not depend on disturbances: final weights, the newest checkpoint's tensor
  // files, and the recorded numbers without times.
  std::map<std::string, std::string> result(const std::string& run_dir) const {
    std::map<std::string, std::string> out;
    const fs::path folder = dir_ / run_dir;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (name.find(".tmp") != std::string::npos) out["leftover " + name] = "";
      if (entry.path().extension() == ".safetensors") out[name] = read_file(entry.path());
    }
    const std::string latest = split(read_file(folder / "checkpoints/LATEST"), '\n').front();
    for (const char* name : {"model.safetensors", "optimizer.safetensors"})
      out[latest + "/" + name] = read_file(folder / "checkpoints" / latest / name);
    for (const auto& entry : fs::directory_iterator(folder / "checkpoints"))
      out["checkpoints/" + entry.path().filename().string()] = "";
    std::string& numbers = out["metrics"];
    for (Json event : read_metrics(folder / "metrics.jsonl")) {
      for (const char* key : {"time", "seconds", "images_per_second", "config"}) event.erase(key);
      numbers += json_line(event) + "\n";
    }
    return out;
  }
  void remove(const std::string& run_dir) const { fs::remove_all(dir_ / run_dir); }
  fs::path path(const std::string& name) const { return dir_ / name; }

 private:
  TempDir dir_;
  std::vector<std::string> options_;
};

// Four steps for each of the losses, a checkpoint after every second one.
std::vector<std::string> everything() {
  return {"--model",   "mlp",       "--batch",      "10",   "--epochs",     "1",
          "--compare", "cce,t-cce", "--lr",         "0.05", "--ema",        "0.9",
          "--workers", "2",         "--accumulate", "1",    "--mix",        "d2",
          "--threads", "2",         "--save-every", "0.5",  "--eval-every", "0.5",
          "--dropout", "0.3"};
}
std::vector<std::string> accumulating() {
  return {"--model",      "mlp",   "--batch",      "8",    "--epochs",    "1", "--loss",    "t-cce",
          "--optimizer",  "adamw", "--lr",         "0.01", "--workers",   "0", "--threads", "1",
          "--accumulate", "2",     "--save-every", "0.2",  "--keep-last", "1", "--dropout", "0.5"};
}

// The numbers that "DITTO_FAILPOINT=count" printed.
std::map<std::string, int64_t> counts(const std::string& output) {
  std::map<std::string, int64_t> out;
  const size_t at = output.rfind("failpoint: ");
  REQUIRE(at != std::string::npos);
  const std::vector<std::string> words =
      split(std::string_view(output).substr(at + 11, output.find('\n', at) - at - 11), ' ');
  for (size_t i = 0; i + 1 < words.size(); i += 2) out[words[i]] = std::stoll(words[i + 1]);
  return out;
}

void check_same(const Program& program, const std::string& run_dir,
                const std::map<std::string, std::string>& expected) {
  const auto actual = program.result(run_dir);
  for (const auto& [name, bytes] : expected) {
    INFO(name);
    REQUIRE(actual.count(name) == 1);
    const bool same = actual.at(name) == bytes;  // without megabytes in the report
    CHECK(same);
  }
  for (const auto& entry : actual) {
    INFO(entry.first);
    CHECK(expected.count(entry.first) == 1);
  }
}

// The numbers 1, 1 + stride, ..., and n.
std::vector<int64_t> sample(int64_t n, int64_t stride) {
  std::vector<int64_t> out;
  for (int64_t k = 1; k <= n; k += full_test() ? 1 : stride) out.push_back(k);
  return out;
}

}  // namespace

TEST_CASE("kill -9 at every write, fsync, rename, mkdir and removal loses nothing", "[apps]") {
  for (const auto& options : {everything(), accumulating()}) {
    const Program program(options);
    const Ending whole = program.resume("whole", {.failpoint = "count"});
    INFO(whole.output);
    REQUIRE(whole.code == 0);
    const auto expected = program.result("whole");
    const auto count = counts(whole.output);
    CHECK(count.at("write") > 50);
    CHECK(count.at("fsync") > 50);
    CHECK(count.at("rename") > 20);
    CHECK(count.at("remove") > 4);
    int64_t kills = 0;
    for (const int64_t k : sample(count.at("any"), count.at("any") / 4 + 1)) {
      const std::string failpoint = "any:" + std::to_string(k) + ":kill";
      INFO("DITTO_FAILPOINT=" << failpoint);
      const Ending killed = program.resume("killed", {.failpoint = failpoint});
      REQUIRE(killed.signal == SIGKILL);
      const Ending resumed = program.resume("killed");
      INFO(resumed.output);
      REQUIRE(resumed.code == 0);
      CHECK(resumed.output.find("damaged") == std::string::npos);
      check_same(program, "killed", expected);
      program.remove("killed");
      ++kills;
    }
    WARN("killed at " << kills << " of " << count.at("any") << " file operations ("
                      << count.at("write") << " writes, " << count.at("fsync") << " fsyncs, "
                      << count.at("rename") << " renames, " << count.at("mkdir") << " mkdirs, "
                      << count.at("remove") << " removals)");
  }
}

TEST_CASE("kill -9 at random moments, several times in a run, loses nothing", "[apps]") {
  const Program program(everything());
  const double start = now();
  REQUIRE(program.resume("whole").code == 0);
  const double duration = now() - start;
  const auto expected = program.result("whole");
  Rng rng(static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()));
  int kills = 0, runs = 0;
  for (const int wanted = full_test() ? 100 : 4; kills < wanted;) {
    Ending ending;
    do {
      // Sometimes longer than the run: then it gets to its end.
      ending = program.resume("killed", {.signal_after = rng.uniform(0, 1.2 * duration)});
      kills += ending.signal == SIGKILL;
      INFO(ending.output);
      REQUIRE((ending.signal == SIGKILL || ending.code == 0));
      CHECK(ending.output.find("damaged") == std::string::npos);
    } while (ending.code != 0);
    check_same(program, "killed", expected);
    program.remove("killed");
    ++runs;
  }
  WARN(kills << " random kills in " << runs << " runs");
}

TEST_CASE("a full disk at any moment is said, and loses nothing", "[apps]") {
  const Program program(everything());
  const Ending whole = program.resume("whole", {.failpoint = "count"});
  REQUIRE(whole.code == 0);
  const auto expected = program.result("whole");
  const int64_t operations = counts(whole.output).at("any");
  int64_t went_on = 0, stopped = 0;
  for (const int64_t k : sample(operations, operations / 3 + 1))
    for (const char* more : {"", "+"}) {  // once, and from then on
      const std::string failpoint = "any:" + std::to_string(k) + more + ":enospc";
      INFO("DITTO_FAILPOINT=" << failpoint);
      const Ending full = program.resume("full", {.failpoint = failpoint});
      INFO(full.output);
      CHECK_THAT(full.output, contains("No space left on device"));
      // Of the file or folder; making the run's folder ends with syncing the one above.
      CHECK_THAT(full.output, contains(program.path("full").parent_path().string()));
      if (full.code == 0) {
        // One checkpoint is missing; the results are not.
        CHECK_THAT(full.output, contains("WARNING"));
        ++went_on;
        const auto actual = program.result("full");
        for (const char* name : {"cce.safetensors", "t-cce-ema.safetensors", "metrics"}) {
          const bool same = actual.at(name) == expected.at(name);
          CHECK(same);
        }
      } else {
        REQUIRE(full.code == 1);
        ++stopped;
        const Ending resumed = program.resume("full");
        INFO(resumed.output);
        REQUIRE(resumed.code == 0);
        CHECK(resumed.output.find("damaged") == std::string::npos);
        check_same(program, "full", expected);
      }
      program.remove("full");
    }
  WARN("disk full: " << went_on << " runs went on, " << stopped << " stopped and were resumed");
}

TEST_CASE("a limit on the size of files leaves the checkpoints that there are", "[apps]") {
  const Program program(everything());
  REQUIRE(program.resume("whole").code == 0);
  const auto expected = program.result("whole");
  // Dies after its second checkpoint; then none fits any more.
  REQUIRE(program.resume("limited", {.failpoint = "remove:1:kill"}).signal == SIGKILL);
  const Ending limited = program.resume("limited", {.largest_file = 1'000'000});
  INFO(limited.output);
  CHECK(limited.code == 1);
  CHECK_THAT(limited.output, contains("File too large") && contains("WARNING: no checkpoint") &&
                                 contains(program.path("limited").string()));
  const Ending resumed = program.resume("limited");
  INFO(resumed.output);
  REQUIRE(resumed.code == 0);
  CHECK_THAT(resumed.output, contains("resumed after step"));
  check_same(program, "limited", expected);
}

TEST_CASE("SIGTERM and SIGINT save and end with 3, the second at once", "[apps]") {
  std::vector<std::string> options = everything();
  options.insert(options.end(), {"--epochs", "200", "--save-every", "0", "--eval-every", "100"});
  const Program program(options);
  const double start = now();
  REQUIRE(program.resume("whole").code == 0);
  const double duration = now() - start;
  const auto expected = program.result("whole");
  for (const int signal : {SIGTERM, SIGINT}) {
    Ending ending;
    int stops = 0;
    // After the handlers are there and before the end, wherever that is on this machine.
    for (double part = 0.3; part < 1; part += 0.1) {
      ending = program.resume("stopped", {.signal_after = part * duration, .signal = signal});
      INFO(ending.output);
      if (ending.code == 0) break;
      REQUIRE(ending.code == 3);
      ++stops;
      CHECK_THAT(ending.output, contains(signal == SIGTERM ? "SIGTERM" : "SIGINT") &&
                                    contains("everything is saved in") && contains("step_"));
    }
    CHECK(stops > 0);
    if (ending.code != 0) REQUIRE(program.resume("stopped").code == 0);
    const auto actual = program.result("stopped");
    for (const char* name : {"cce.safetensors", "t-cce-ema.safetensors", "metrics"})
      CHECK(actual.at(name) == expected.at(name));
    program.remove("stopped");
  }
}

TEST_CASE("a run that diverges names its last good checkpoint and keeps it", "[apps]") {
  std::vector<std::string> options = accumulating();
  options.insert(options.end(), {"--optimizer", "sgd", "--momentum", "0.99", "--lr", "3",
                                 "--epochs", "60", "--schedule", "constant"});
  const Program program(options);
  const Ending ending = program.run("nan");
  INFO(ending.output);
  CHECK(ending.code == 1);
  const size_t at = ending.output.find("the last good checkpoint is ");
  REQUIRE(at != std::string::npos);
  CHECK_THAT(ending.output, contains("the first bad tensor is") && contains("step"));
  const std::string good = split(std::string_view(ending.output).substr(at + 28), '\n').front();
  for (const auto& [name, tensor] : load_checkpoint(good).model)
    for (const double v : tensor.to_vector<double>()) REQUIRE(std::isfinite(v));
  // Resumed from there with another rate, it says so.
  const Ending resumed = program.run("nan", {}, {"--resume", "auto", "--lr", "1e-9"});
  INFO(resumed.output);
  CHECK_THAT(resumed.output, contains("resumed with other lr"));
}

TEST_CASE("a wrong DITTO_FAILPOINT is an error", "[apps]") {
  const Program program(everything());
  for (const char* wrong :
       {"write", "write:0:kill", "write:x:kill", "read:1:kill", "write:1:boom"}) {
    const Ending ending = program.run("x", {.failpoint = wrong});
    CHECK(ending.code != 0);
    CHECK_THAT(ending.output, contains("[failpoint]") && contains(wrong));
  }
}

}  // namespace ditto::apps
