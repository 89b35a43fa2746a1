// Replays the fuzzers' corpus, and a few thousand damaged copies of it, in the normal test run (and
// so under the sanitizers, with any compiler).
#include <filesystem>
#include <fstream>

#include "core/rng.h"
#include "tests/fuzz/targets.h"
#include "tests/support/catch.h"
#include "tests/support/paths.h"

namespace ditto::fuzz {
namespace {

namespace fs = std::filesystem;

std::vector<uint8_t> bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<uint8_t> damaged(std::vector<uint8_t> bytes, const std::vector<uint8_t>& other,
                             Rng& rng) {
  for (uint64_t n = 1 + rng.below(6); n > 0 && !bytes.empty(); --n) {
    const size_t at = rng.below(bytes.size());
    switch (rng.below(4)) {
      case 0:
        bytes[at] = static_cast<uint8_t>(rng.below(256));
        break;
      case 1:
        bytes[at] ^= static_cast<uint8_t>(1u << rng.below(8));
        break;
      case 2:
        bytes.resize(at);
        break;
      default: {
        std::vector<uint8_t> mixed(bytes.begin(), bytes.begin() + static_cast<int64_t>(at));
        const size_t from = other.empty() ? 0 : rng.below(other.size());
        mixed.insert(mixed.end(), other.begin() + static_cast<int64_t>(from), other.end());
        bytes = std::move(mixed);
      }
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("fuzz: the corpus and damaged copies of it are read or refused") {
  for (const NamedTarget& target : targets()) {
    std::vector<fs::path> files;
    for (const auto& entry :
         fs::directory_iterator(testing::source_path("tests/fuzz/corpus/" + target.name)))
      files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    REQUIRE(files.size() >= 10);
    Rng rng(1);
    std::vector<uint8_t> last;
    for (const fs::path& file : files) {
      INFO(file.string());
      const std::vector<uint8_t> bytes = bytes_of(file);
      CHECK_NOTHROW(target.run(bytes));
      for (int i = 0; i < 40; ++i) {
        // In a block of its own size, so that AddressSanitizer sees reads beyond it.
        const std::vector<uint8_t> copy = damaged(bytes, last, rng);
        CHECK_NOTHROW(target.run(copy));
      }
      last = bytes;
    }
  }
  // Bytes of all kinds without a corpus.
  for (const NamedTarget& target : targets())
    for (size_t size = 0; size < 6; ++size)
      for (int value = 0; value < 256; ++value)
        CHECK_NOTHROW(target.run(std::vector<uint8_t>(size, static_cast<uint8_t>(value))));
}

}  // namespace ditto::fuzz
