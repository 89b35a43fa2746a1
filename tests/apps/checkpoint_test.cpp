// Checkpoints on disk: what is saved comes back, and whatever is damaged is noticed by name.
#include "apps/common/checkpoint.h"

#include <sys/resource.h>

#include <cstring>
#include <exception>

#include "core/file.h"
#include "core/sha256.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace ditto::apps {
namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::read_file;
using testing::TempDir;
using testing::write_file;

Checkpoint example(int64_t step) {
  const auto value = static_cast<float>(step);
  Checkpoint c{.step = step, .model = {}, .optimizer = {}};
  c.model["fc.weight"] = Tensor::from<float>({value, -0.0f, 1e-40f, 3}, {2, 2});
  c.model["bn.num_batches_tracked"] = Tensor::scalar(7, Dtype::I64);
  c.model_metadata = {{"model", "mlp"}};
  c.optimizer["velocity.0.0"] = Tensor::from<float>({0.5f, value, 2, 3}, {2, 2});
  c.trainer = {{"state", {{"step", step}, {"loss_sum", 0.1 + 0.2}}}};
  c.metrics = "{\"event\":\"run\",\"run\":\"cce\"}\n";
  return c;
}

// The store of a folder with checkpoints of steps 10 and 20.
CheckpointStore two_in(const TempDir& dir) {
  CheckpointStore store(dir / "checkpoints", 2);
  store.save(example(10));
  store.save(example(20));
  return store;
}

struct Loaded {
  std::optional<Checkpoint> checkpoint;
  std::string warnings;
};
Loaded newest(const TempDir& dir) {
  Loaded out;
  CheckpointStore store(dir / "checkpoints", 2);
  out.checkpoint = store.load_newest([&](const std::string& line) { out.warnings += line + "\n"; });
  return out;
}

const char* const kFiles[] = {"model.safetensors", "optimizer.safetensors", "trainer.json",
                              "metrics.jsonl", "manifest.json"};

}  // namespace

TEST_CASE("checkpoint: what is saved comes back to the bit", "[apps]") {
  const TempDir dir;
  CheckpointStore store(dir / "checkpoints", 2);
  const Checkpoint saved = example(1234);
  const fs::path folder = store.save(saved);
  CHECK(folder == dir / "checkpoints" / "step_00001234");
  const Checkpoint loaded = load_checkpoint(folder);
  CHECK(loaded.step == 1234);
  CHECK(loaded.trainer == saved.trainer);
  CHECK(loaded.trainer["state"]["loss_sum"].get<double>() == 0.1 + 0.2);
  CHECK(loaded.metrics == saved.metrics);
  CHECK(loaded.model_metadata == saved.model_metadata);
  REQUIRE(loaded.model.size() == 2);
  CHECK(std::memcmp(loaded.model.at("fc.weight").view().data,
                    saved.model.at("fc.weight").view().data, 16) == 0);
  CHECK(loaded.model.at("bn.num_batches_tracked").item() == 7);
  CHECK(loaded.optimizer.at("velocity.0.0").to_vector<float>() ==
        std::vector<float>{0.5f, 1234, 2, 3});
  CHECK(read_file(dir / "checkpoints" / "LATEST") == "step_00001234\n");
}

TEST_CASE("checkpoint: the newest are kept, the newest is found", "[apps]") {
  const TempDir dir;
  CHECK_FALSE(newest(dir).checkpoint);
  CheckpointStore store(dir / "checkpoints", 3);
  for (int64_t step : {5, 10, 100, 200}) store.save(example(step));
  CHECK(store.steps() == std::vector<int64_t>{10, 100, 200});
  const Loaded loaded = newest(dir);
  CHECK(loaded.checkpoint->step == 200);
  CHECK(loaded.warnings.empty());
  // The same step again (after going back) replaces the former one.
  Checkpoint other = example(200);
  other.metrics = "other\n";
  store.save(other);
  CHECK(newest(dir).checkpoint->metrics == "other\n");
  store.go_on_from(100);
  CHECK(newest(dir).checkpoint->step == 100);
  CHECK(fs::exists(dir / "checkpoints/step_00000200.superseded"));
  // Who only reads removes nothing, whatever number it was told to keep.
  CheckpointStore reader(dir / "checkpoints", 1);
  CHECK(reader.load_newest([](const std::string&) {})->step == 100);
  CHECK(reader.steps() == std::vector<int64_t>{10, 100});
  reader.go_on_from(100);
  CHECK(reader.steps() == std::vector<int64_t>{100});
  CHECK_THROWS_WITH(CheckpointStore(dir / "x", 0), contains("at least one"));
}

TEST_CASE("checkpoint: what a killed save left behind is removed", "[apps]") {
  const TempDir dir;
  two_in(dir);
  fs::create_directory(dir / "checkpoints/step_00000030.tmp");
  write_file(dir / "checkpoints/step_00000030.tmp/model.safetensors", "half");
  write_file(dir / "checkpoints/LATEST.tmp-12-3", "step");
  write_file(dir / "checkpoints/notes.tmp", "the user's own");
  CHECK(newest(dir).checkpoint->step == 20);
  CHECK_FALSE(fs::exists(dir / "checkpoints/step_00000030.tmp"));
  CHECK_FALSE(fs::exists(dir / "checkpoints/LATEST.tmp-12-3"));
  CHECK(fs::exists(dir / "checkpoints/notes.tmp"));
}

TEST_CASE("checkpoint: every flipped byte of every file is noticed", "[apps]") {
  const TempDir dir;
  two_in(dir);
  const fs::path folder = dir / "checkpoints/step_00000020";
  for (const char* name : kFiles) {
    const std::string whole = read_file(folder / name);
    REQUIRE_FALSE(whole.empty());
    for (size_t i = 0; i < whole.size(); ++i)
      for (const int mask : {0x01, 0x80}) {
        std::string flipped = whole;
        flipped[i] = static_cast<char>(flipped[i] ^ mask);
        write_file(folder / name, flipped);
        INFO(name << ", byte " << i << ", mask " << mask);
        CHECK_THROWS_AS(load_checkpoint(folder), Error);
      }
    write_file(folder / name, whole);
    CHECK_NOTHROW(load_checkpoint(folder));
  }
}

TEST_CASE("checkpoint: every truncation of every file is noticed, and appended bytes", "[apps]") {
  const TempDir dir;
  two_in(dir);
  const fs::path folder = dir / "checkpoints/step_00000020";
  for (const char* name : kFiles) {
    const std::string whole = read_file(folder / name);
    for (size_t size = 0; size <= whole.size() + 1; ++size) {
      if (size == whole.size()) continue;
      write_file(folder / name, (whole + "\n").substr(0, size));
      INFO(name << " with " << size << " of " << whole.size() << " bytes");
      CHECK_THROWS_WITH(load_checkpoint(folder), contains(folder.string()));
    }
    fs::remove(folder / name);
    CHECK_THROWS_WITH(load_checkpoint(folder), contains(name));
    fs::create_directory(folder / name);
    CHECK_THROWS_WITH(load_checkpoint(folder), contains(name));
    fs::remove(folder / name);
    write_file(folder / name, whole);
    CHECK_NOTHROW(load_checkpoint(folder));
  }
}

TEST_CASE("checkpoint: a damaged one is named, set aside, and the one before it used", "[apps]") {
  for (const char* name : kFiles) {
    const TempDir dir;
    two_in(dir);
    std::string bytes = read_file(dir / "checkpoints/step_00000020" / name);
    bytes[bytes.size() / 2] ^= 4;
    write_file(dir / "checkpoints/step_00000020" / name, bytes);
    const Loaded loaded = newest(dir);
    INFO(name);
    CHECK(loaded.checkpoint->step == 10);
    CHECK_THAT(loaded.warnings,
               contains("step_00000020") && contains(name) && contains("trying step_00000010"));
    CHECK(fs::exists(dir / "checkpoints/step_00000020.damaged"));
  }
}

TEST_CASE("checkpoint: when none is sound nothing starts anew silently", "[apps]") {
  const TempDir dir;
  two_in(dir);
  fs::remove(dir / "checkpoints/step_00000010/trainer.json");
  write_file(dir / "checkpoints/step_00000020/manifest.json", "");
  CHECK_THROWS_WITH(newest(dir), contains("every checkpoint is damaged"));
  CHECK_THROWS_WITH(newest(dir), contains("no checkpoint is left"));
}

TEST_CASE("checkpoint: a damaged or missing LATEST is said and costs nothing", "[apps]") {
  const TempDir dir;
  two_in(dir);
  const fs::path latest = dir / "checkpoints/LATEST";
  const std::string whole = read_file(latest);
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] ^= 0x40;
    write_file(latest, flipped);
    const Loaded loaded = newest(dir);
    CHECK(loaded.checkpoint->step == 20);
    INFO(i);
    CHECK_THAT(loaded.warnings, contains("LATEST"));
    write_file(latest, whole.substr(0, i));
    CHECK_THAT(newest(dir).warnings, contains("LATEST is damaged"));
  }
  fs::remove(latest);
  CHECK_THAT(newest(dir).warnings, contains("LATEST is missing"));
  CHECK(newest(dir).checkpoint->step == 20);
  // A folder that is gone cannot be listed, but LATEST remembers it.
  write_file(latest, whole);
  fs::remove_all(dir / "checkpoints/step_00000020");
  const Loaded loaded = newest(dir);
  CHECK(loaded.checkpoint->step == 10);
  CHECK_THAT(loaded.warnings, contains("step_00000020 is missing"));
}

TEST_CASE("checkpoint: files that cannot be opened now are no damaged ones", "[apps]") {
  const TempDir dir;
  two_in(dir);
  CheckpointStore store(dir / "checkpoints", 3);
  // Root may open anything, but nobody more files than the limit.
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{3, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  // Looked at later: the sanitizers need descriptors themselves.
  std::exception_ptr refused, none_newest;
  try {
    load_checkpoint(dir / "checkpoints/step_00000020");
  } catch (...) {
    refused = std::current_exception();
  }
  try {
    store.load_newest([](const std::string&) {});
  } catch (...) {
    none_newest = std::current_exception();
  }
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE((refused && none_newest));
  CHECK_THROWS_AS(std::rethrow_exception(refused), NotNow);
  CHECK_THROWS_WITH(std::rethrow_exception(refused),
                    contains("step_00000020") && contains("Too many open files"));
  CHECK_THROWS_AS(std::rethrow_exception(none_newest), NotNow);
  CHECK(store.steps() == std::vector<int64_t>{10, 20});
  CHECK(newest(dir).checkpoint->step == 20);
}

TEST_CASE("checkpoint: other versions, names and steps are refused", "[apps]") {
  const TempDir dir;
  two_in(dir);
  const fs::path folder = dir / "checkpoints/step_00000020";
  fs::copy(folder, dir / "checkpoints/step_00000030");
  CHECK_THROWS_WITH(load_checkpoint(dir / "checkpoints/step_00000030"), contains("another step"));
  fs::copy(folder, dir / "checkpoints/copy");
  CHECK_THROWS_WITH(load_checkpoint(dir / "checkpoints/copy"), contains("step_"));
  CHECK_THROWS_WITH(load_checkpoint(dir / "checkpoints/step_00000099"), contains("step_00000099"));
  std::string manifest = read_file(folder / "manifest.json");
  manifest.replace(manifest.find("\"version\": 1"), 12, "\"version\": 2");
  write_file(folder / "manifest.json", manifest);
  CHECK_THROWS_WITH(load_checkpoint(folder), contains("version 2 of the format"));
  // Undamaged, only of another version: nothing is renamed, and no older one is taken instead.
  Json other = Json::parse(manifest);
  other.erase("sha256");
  other["sha256"] = sha256(json_text(other));
  write_file(folder / "manifest.json", json_text(other));
  fs::remove_all(dir / "checkpoints/step_00000030");
  CheckpointStore store(dir / "checkpoints", 3);
  CHECK_THROWS_AS(store.load_newest([](const std::string&) {}), OtherVersion);
  CHECK(store.steps() == std::vector<int64_t>{10, 20});
  for (const char* text : {"[]", "{}", "null", "{\"version\": \"1\"}", "{\"version\": 1}", "7"}) {
    write_file(folder / "manifest.json", text);
    CHECK_THROWS_WITH(load_checkpoint(folder), contains("manifest.json"));
  }
  CHECK(checkpoint_step("x/step_00000020") == 20);
  CHECK(checkpoint_step("step_123456789") == 123456789);
  for (const char* name :
       {"step_20", "step_0000002x", "step_-0000020", "step_", "step_00000020.tmp"})
    CHECK_FALSE(checkpoint_step(name));
}

}  // namespace ditto::apps
