#include "apps/common/config.h"

#include "apps/common/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace ditto::apps;
using ditto::testing::contains;
using ditto::testing::TempDir;

namespace {

struct Options {
  int64_t batch = 128;
  int threads = 0;
  double rate = 0.1;
  double rho = 1;
  bool flip = true;
  std::string loss = "cce";
  std::string data_root;
  std::vector<std::string> compare;
  std::vector<int64_t> milestones = {10, 20};
  std::vector<double> betas = {0.9, 0.999};
  std::string run_dir;
};

void declare(Config& config, Options& options) {
  config.group("Training");
  config.add("batch", &options.batch, "rows per step").range(1, 4096);
  config.add("threads", &options.threads, "threads").range(0, 1024);
  config.add("lr", &options.rate, "learning rate").above(0, 100);
  config.add("mask.rho", &options.rho, "weight").at_least(0);
  config.add("flip", &options.flip, "mirror");
  config.add("loss", &options.loss, "loss").choices({"cce", "t-cce"});
  config.group("Data");
  config.add("data-root", &options.data_root, "folder");
  config.add("compare", &options.compare, "losses").choices({"cce", "t-cce"});
  config.add("milestones", &options.milestones, "epochs").range(1, 1000);
  config.add("betas", &options.betas, "decay").range(0, 1);
  config.add("run-dir", &options.run_dir, "folder").flag_only();
}

// Options with their Config.
struct Fixture {
  Options options;
  Config config;
  Fixture() { declare(config, options); }
  void load(const std::string& text) { config.load(parse_json(text, "c.json"), "c.json"); }
};

}  // namespace

TEST_CASE("config values reach the bound fields", "[apps]") {
  Fixture f;
  f.load(R"({"batch": 64, "lr": 1, "mask.rho": 0.3, "flip": false, "loss": "t-cce",
             "compare": ["cce", "t-cce"], "milestones": [], "betas": [0, 1]})");
  CHECK(f.options.batch == 64);
  CHECK(f.options.rate == 1.0);  // an integer is a number
  CHECK(f.options.rho == 0.3);
  CHECK(f.options.flip == false);
  CHECK(f.options.loss == "t-cce");
  CHECK(f.options.compare == std::vector<std::string>{"cce", "t-cce"});
  CHECK(f.options.milestones.empty());
  CHECK(f.options.betas == std::vector<double>{0, 1});
  f.config.set("compare=cce");
  f.config.set("milestones=5,7");
  f.config.set("data-root=a=b");  // only the first = separates
  f.config.set("flip=on");
  f.config.set("lr=1e-3");
  CHECK(f.options.compare == std::vector<std::string>{"cce"});
  CHECK(f.options.milestones == std::vector<int64_t>{5, 7});
  CHECK(f.options.data_root == "a=b");
  CHECK(f.options.flip);
  CHECK(f.options.rate == 1e-3);
  f.config.set("data-root=");
  f.config.set("compare=");
  CHECK(f.options.data_root.empty());
  CHECK(f.options.compare.empty());
}

TEST_CASE("config knows what the user gave", "[apps]") {
  Fixture f;
  CHECK_FALSE(f.config.given("batch"));
  f.load(R"({"batch": 128})");
  CHECK(f.config.given("batch"));
  CHECK(f.config.find("batch").origin() == Origin::File);
  f.config.set("batch=4");
  CHECK(f.config.find("batch").origin() == Origin::Set);
}

TEST_CASE("an unknown name is an error with the nearest one", "[apps]") {
  Fixture f;
  CHECK_THROWS_AS(f.load(R"({"bacth": 1})"), UsageError);
  CHECK_THROWS_WITH(f.load(R"({"bacth": 1})"),
                    "c.json: unknown option \"bacth\"; did you mean batch?");
  CHECK_THROWS_WITH(f.load(R"({"training": {"batch": 1}})"), "c.json: unknown option \"training\"");
  CHECK_THROWS_WITH(f.load(R"({"rho": 1})"), contains("did you mean mask.rho?"));
  CHECK_THROWS_WITH(f.config.set("flp=1"), "--set: unknown option \"flp\"; did you mean flip?");
  CHECK_THROWS_WITH(f.config.set("batch"), contains("--set batch: write --set name=value"));
  CHECK_THROWS_AS(f.config.set("=3"), UsageError);
  CHECK_THROWS_WITH(f.load("[1]"), contains("c.json: a configuration is a JSON object"));
}

TEST_CASE("wrong types and values out of range name key, value and what is allowed", "[apps]") {
  Fixture f;
  const auto refused = [&](const std::string& json, const std::string& message) {
    CAPTURE(json);
    CHECK_THROWS_AS(f.load(json), UsageError);
    CHECK_THROWS_WITH(f.load(json), message);
  };
  refused(R"({"batch": 0})", "c.json: batch: 0 is not an integer from 1 to 4096");
  refused(R"({"batch": 4097})", "c.json: batch: 4097 is not an integer from 1 to 4096");
  refused(R"({"batch": 1.5})", "c.json: batch: 1.5 is not an integer from 1 to 4096");
  refused(R"({"batch": "64"})", "c.json: batch: \"64\" is not an integer from 1 to 4096");
  refused(R"({"batch": 18446744073709551615})",
          "c.json: batch: 18446744073709551615 is not an integer from 1 to 4096");
  refused(R"({"threads": 4294967296})",
          "c.json: threads: 4294967296 is not an integer from 0 to 1024");
  refused(R"({"lr": 0})", "c.json: lr: 0 is not a number above 0, at most 100");
  refused(R"({"lr": null})", "c.json: lr: null is not a number above 0, at most 100");
  refused(R"({"mask.rho": -0.5})", "c.json: mask.rho: -0.5 is not a number at least 0");
  refused(R"({"flip": 1})", "c.json: flip: 1 is not true or false");
  refused(R"({"loss": "tcce"})",
          "c.json: loss: \"tcce\" is not one of cce, t-cce; did you mean t-cce?");
  refused(R"({"loss": 3})", "c.json: loss: 3 is not one of cce, t-cce");
  refused(R"({"data-root": ["a"]})", "c.json: data-root: [\"a\"] is not text in UTF-8");
  refused(R"({"compare": "cce"})",
          "c.json: compare: \"cce\" is not a list of names, each one of cce, t-cce");
  refused(R"({"milestones": [5, 0]})",
          "c.json: milestones: [5,0] is not a list of integers, each from 1 to 1000");
  refused(R"({"betas": [0.9, "x"]})",
          "c.json: betas: [0.9,\"x\"] is not a list of numbers, each from 0 to 1");
  refused(
      R"({"compare": ["cce", "t_cce"]})",
      "c.json: compare: [\"cce\",\"t_cce\"] is not a list of names, each one of cce, t-cce; did "
      "you mean t-cce?");
  CHECK_THROWS_WITH(f.config.set("batch=abc"),
                    "--set batch: \"abc\" is not an integer from 1 to 4096");
  CHECK_THROWS_WITH(f.config.set("batch=12abc"), contains("\"12abc\""));
  CHECK_THROWS_WITH(f.config.set("batch=99999999999999999999"), contains("is not an integer"));
  CHECK_THROWS_WITH(f.config.set("mask.rho=nan"), contains("is not a number"));
  CHECK_THROWS_WITH(f.config.set("mask.rho=inf"), contains("is not a number"));
  CHECK_THROWS_WITH(f.config.set("lr=0,1"), contains("\"0,1\""));
  CHECK_THROWS_WITH(f.config.set("flip=maybe"), contains("is not true or false"));
  CHECK_THROWS_WITH(f.config.set("data-root=caf\xE9"), contains("is not text in UTF-8"));
  // A refused value changes nothing.
  CHECK(f.options.batch == 128);
  CHECK(f.options.milestones == std::vector<int64_t>{10, 20});
}

TEST_CASE("the resolved configuration loads back to the same values", "[apps]") {
  const TempDir dir;
  Fixture f;
  f.config.set("lr=0.30000000000000004");  // needs all its digits
  f.config.set("mask.rho=1e-300");
  f.config.set("batch=7");
  f.config.set("flip=false");
  f.config.set("data-root=C:\\\"ψ\"\t/x");
  f.config.set("compare=t-cce,cce");
  f.config.set("betas=0.1,0.2,0.7000000000000001");
  write_file(dir / "config.json", json_text(f.config.dump()));

  Fixture g;
  g.config.load_file(dir / "config.json");
  CHECK(g.config.dump() == f.config.dump());
  CHECK(g.options.rate == f.options.rate);
  CHECK(g.options.rho == f.options.rho);
  CHECK(g.options.data_root == f.options.data_root);
  CHECK(g.options.betas == f.options.betas);
  // Every option is there, in order, except what belongs to the call alone.
  const Json dump = f.config.dump();
  std::vector<std::string> keys;
  for (const auto& [key, value] : dump.items()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"batch", "threads", "lr", "mask.rho", "flip", "loss",
                                         "data-root", "compare", "milestones", "betas"});
}

TEST_CASE("what belongs to the call alone is refused in files and --set", "[apps]") {
  Fixture f;
  CHECK_THROWS_WITH(f.load(R"({"run-dir": "x"})"), contains("only be given as the flag --run-dir"));
  CHECK_THROWS_WITH(f.config.set("run-dir=x"), contains("only be given as the flag --run-dir"));
}

TEST_CASE("configuration files that cannot be read say why", "[apps]") {
  const TempDir dir;
  Fixture f;
  const auto refused = [&](const std::filesystem::path& path, const std::string& part) {
    CHECK_THROWS_AS(f.config.load_file(path), UsageError);
    CHECK_THROWS_WITH(f.config.load_file(path), contains(part));
  };
  refused(dir / "none.json", "No such file");
  refused(dir.path(), "not a regular file");
  write_file(dir / "bad.json", "{\n\"batch\": 1\n\"lr\": 2}");
  refused(dir / "bad.json", "bad.json:3:");
  write_file(dir / "twice.json", R"({"batch": 1, "batch": 2})");
  refused(dir / "twice.json", "the key \"batch\" occurs twice");
  write_file(dir / "unknown.json", R"({"epcohs": 1, "batch": 2})");
  refused(dir / "unknown.json", "unknown.json: unknown option \"epcohs\"");
}

TEST_CASE("mistakes in declarations are found at once", "[apps]") {
  Config config;
  int64_t n = 0;
  config.add("n", &n, "n");
  CHECK_THROWS_WITH(config.add("n", &n, "again"), contains("declared twice"));
  CHECK_THROWS_WITH(config.add("Bad_Name", &n, "?"), contains("lower case"));
  CHECK_THROWS_WITH(config.add("m", &n, "m").range(1, 2), contains("default of m: 0 is not"));
}
