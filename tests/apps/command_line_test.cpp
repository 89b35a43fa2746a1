#include "apps/common/command_line.h"

#include <sstream>

#include "apps/common/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace ditto::apps;
using ditto::testing::contains;
using ditto::testing::TempDir;

namespace {

struct Options {
  int64_t batch = 128;
  double rate = 0.1;
  bool flip = true;
  bool nesterov = false;
  std::string loss = "cce";
  std::string name;
  std::vector<std::string> compare;
};

// A program with two commands and what its last call did.
struct Program {
  Options options;
  int64_t samples = 10;
  std::string ran;
  std::string out, err;
  std::function<void()> work = [] {};

  int call(std::vector<std::string> arguments) {
    *this = Program{};  // a new process has new options
    return call_again(std::move(arguments));
  }
  int call_again(std::vector<std::string> arguments) {
    CommandLine line("train_toy", "Trains a toy.");
    line.add(
        "train", "train a model",
        [this](Config& config) {
          config.group("Training");
          config.add("batch", &options.batch, "rows per step").range(1, 4096);
          config.add("lr", &options.rate, "learning rate").above(0);
          config.add("nesterov", &options.nesterov, "Nesterov momentum");
          config.add("loss", &options.loss, "what is minimised").choices({"cce", "t-cce"});
          config.group("Augmentation");
          config.add("flip", &options.flip, "mirror half of the images");
          config.add("name", &options.name, "a name");
          config.add("compare", &options.compare, "losses to compare");
        },
        [this](const Invocation& invocation) {
          ran = invocation.command;
          work();
        });
    line.add(
        "eval", "evaluate a model",
        [this](Config& config) { config.add("samples", &samples, "how many"); },
        [this](const Invocation& invocation) { ran = invocation.command; });
    arguments.insert(arguments.begin(), "./bin/train_toy");
    std::ostringstream out_stream, err_stream;
    const int code = line.run(arguments, out_stream, err_stream);
    out = out_stream.str();
    err = err_stream.str();
    return code;
  }
};

}  // namespace

TEST_CASE("flags set options and choose commands", "[apps]") {
  Program p;
  REQUIRE(p.call({}) == 0);
  CHECK(p.ran == "train");
  REQUIRE(p.call({"--batch", "64", "--lr=0.5", "--no-flip", "--nesterov", "--compare", "cce,t-cce",
                  "--name", "[x,y]"}) == 0);
  CHECK(p.options.batch == 64);
  CHECK(p.options.rate == 0.5);
  CHECK_FALSE(p.options.flip);
  CHECK(p.options.nesterov);
  CHECK(p.options.compare == std::vector<std::string>{"cce", "t-cce"});
  CHECK(p.options.name == "[x,y]");
  REQUIRE(p.call({"train", "--flip=false", "--nesterov=true", "--name=", "--compare="}) == 0);
  CHECK_FALSE(p.options.flip);
  CHECK(p.options.nesterov);
  CHECK(p.options.name.empty());
  CHECK(p.options.compare.empty());
  REQUIRE(p.call({"--no-nesterov=false", "--name", "a=b=c"}) == 0);
  CHECK(p.options.nesterov);
  CHECK(p.options.name == "a=b=c");
  REQUIRE(p.call({"--name", "-1"}) == 0);
  CHECK(p.options.name == "-1");
  REQUIRE(p.call({"eval", "--samples", "5"}) == 0);
  CHECK(p.ran == "eval");
  CHECK(p.samples == 5);
}

TEST_CASE("defaults are weaker than files, files than --set, --set than flags", "[apps]") {
  const TempDir dir;
  const std::string a = (dir / "a.json").string(), b = (dir / "b.json").string();
  write_file(a, R"({"batch": 2, "lr": 0.2, "loss": "t-cce"})");
  write_file(b, R"({"batch": 3, "flip": false})");
  Program p;
  REQUIRE(p.call({"--config", a}) == 0);
  CHECK(p.options.batch == 2);
  CHECK(p.options.flip);  // a default stays where nothing replaces it
  REQUIRE(p.call({"--config", a, "--config", b}) == 0);
  CHECK(p.options.batch == 3);  // the later file wins
  CHECK(p.options.rate == 0.2);
  // The strength does not depend on the order on the command line.
  REQUIRE(p.call({"--batch", "5", "--set", "batch=4", "--set", "lr=0.4", "--config", a}) == 0);
  CHECK(p.options.batch == 5);
  CHECK(p.options.rate == 0.4);
  CHECK(p.options.loss == "t-cce");
  REQUIRE(p.call({"--set", "batch=4", "--config", b, "--flip"}) == 0);
  CHECK(p.options.batch == 4);
  CHECK(p.options.flip);
  // A flag given twice: the last one counts.
  REQUIRE(p.call({"--batch", "5", "--batch", "6", "--flip", "--no-flip"}) == 0);
  CHECK(p.options.batch == 6);
  CHECK_FALSE(p.options.flip);
}

TEST_CASE("a wrong command line ends with exit code 2 and a helpful text", "[apps]") {
  Program p;
  const auto refused = [&](std::vector<std::string> arguments, const std::string& part) {
    CAPTURE(part);
    CHECK(p.call(std::move(arguments)) == 2);
    CHECK(p.ran.empty());
    CHECK(p.out.empty());
    CHECK_THAT(p.err, contains(part));
    CHECK_THAT(p.err, contains("train_toy: "));
    CHECK(p.err.find(".cpp") == std::string::npos);  // no source lines in users' faces
  };
  refused({"--bacth", "64"}, "unknown option --bacth; did you mean --batch?");
  refused({"--bacth=64"}, "unknown option --bacth; did you mean --batch?");
  refused({"--no-flp"}, "unknown option --no-flp; did you mean --no-flip?");
  refused({"--xyzzy"}, "unknown option --xyzzy (train_toy --help");
  refused({"--confg", "a"}, "did you mean --config?");
  refused({"-b", "3"}, "unknown option -b");
  refused({"--batch", "0"}, "--batch: 0 is not an integer from 1 to 4096");
  refused({"--batch", "many"}, "--batch: \"many\" is not an integer");
  refused({"--lr", "-0.1"}, "--lr: -0.1 is not a number above 0");
  refused({"--loss", "t-ce"}, "--loss: \"t-ce\" is not one of cce, t-cce; did you mean t-cce?");
  refused({"--flip=maybe"}, "--flip: \"maybe\" is not true or false");
  refused({"--no-flip=maybe"}, "\"maybe\"");
  refused({"--flip", "false"}, "unexpected argument \"false\"");
  refused({"--batch"}, "--batch needs a value");
  refused({"--loss", "--batch", "3"},
          "--loss needs a value, one of cce, t-cce, but is followed by");
  refused({"--set"}, "--set needs a value");
  refused({"--set", "batch"}, "write --set name=value");
  refused({"--set", "bacth=3"}, "did you mean batch?");
  refused({"--config", "/nonexistent/c.json"}, "/nonexistent/c.json: No such file");
  refused({"evla"}, "unknown command evla; did you mean eval? (commands: train, eval)");
  refused({"eval", "--batch", "3"}, "unknown option --batch");
  refused({"--flip", "eval"}, "unexpected argument \"eval\"");
}

TEST_CASE("exit code 1: the work failed; 2: it found the configuration wrong", "[apps]") {
  Program p;
  p.work = [] { ditto::fail("[toy] loss is not finite at step", 7); };
  CHECK(p.call_again({}) == 1);
  CHECK_THAT(p.err, contains("train_toy: [toy] loss is not finite at step 7"));
  p.work = [] { throw UsageError("--epochs and --minutes exclude each other"); };
  CHECK(p.call_again({}) == 2);
  CHECK_THAT(p.err, contains("exclude each other"));
  p.work = [] { throw std::bad_alloc(); };
  CHECK(p.call_again({}) == 1);
  CHECK_THAT(p.err, contains("out of memory"));
}

TEST_CASE("--help shows groups, limits and defaults; --version the build", "[apps]") {
  Program p;
  CHECK(p.call({"--help"}) == 0);
  CHECK(p.ran.empty());
  CHECK(p.err.empty());
  for (const char* part :
       {"Usage: train_toy", "\nTraining:\n", "\nAugmentation:\n", "--batch INT", "rows per step",
        "(1 to 4096) [128]", "(above 0) [0.1]", "(cce, t-cce) [cce]", "[on]", "[off]", "--config",
        "--set", "Commands:", "evaluate a model", "Exit codes:"})
    CHECK_THAT(p.out, contains(part));
  CHECK(p.call({"eval", "--help"}) == 0);
  CHECK_THAT(p.out, contains("--samples INT"));
  CHECK(p.out.find("--batch") == std::string::npos);
  CHECK(p.call({"-h"}) == 0);
  CHECK(p.call({"--version"}) == 0);
  CHECK_THAT(p.out, contains("train_toy 0.") && contains("git "));
  CHECK(p.ran.empty());
}
