#include "data/sampler.h"

#include <algorithm>
#include <map>
#include <set>

#include "tests/support/catch.h"

using namespace ditto::data;
using ditto::testing::contains;

namespace {

std::vector<int64_t> samples(const std::vector<SampleItem>& items) {
  std::vector<int64_t> out;
  for (const SampleItem& item : items) out.push_back(item.sample);
  return out;
}

}  // namespace

TEST_CASE("sequential sampler: in order, shared without loss") {
  const SequentialSampler sampler(7);
  CHECK(samples(sampler.order(0)) == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6});
  CHECK(sampler.order(5) == sampler.order(0));
  CHECK(samples(SequentialSampler(7, {.rank = 0, .world = 3}).order(0)) ==
        std::vector<int64_t>{0, 3, 6});
  CHECK(samples(SequentialSampler(7, {.rank = 2, .world = 3}).order(0)) ==
        std::vector<int64_t>{2, 5});
  CHECK(SequentialSampler(0).order(0).empty());
}

TEST_CASE("random sampler: a permutation per seed and epoch") {
  const RandomSampler sampler(1000, 5);
  const auto first = samples(sampler.order(0)), second = samples(sampler.order(1));
  CHECK(first == samples(sampler.order(0)));
  CHECK(first != second);
  CHECK(first != samples(RandomSampler(1000, 6).order(0)));
  for (auto order : {first, second}) {
    CHECK_FALSE(std::ranges::is_sorted(order));
    std::ranges::sort(order);
    for (int64_t i = 0; i < 1000; ++i) REQUIRE(order[static_cast<size_t>(i)] == i);
  }
  for (const SampleItem& item : sampler.order(2)) {
    CHECK(item.group == item.sample);
    CHECK(item.replica == 0);
  }
}

TEST_CASE("random sampler: ranks take equal, disjoint shares") {
  std::set<int64_t> all;
  for (int rank = 0; rank < 3; ++rank) {
    const auto share = samples(RandomSampler(100, 1, {.rank = rank, .world = 3}).order(4));
    CHECK(share.size() == 33);
    all.insert(share.begin(), share.end());
  }
  CHECK(all.size() == 99);
  // In turn: the single-rank order, dealt out.
  const auto whole = samples(RandomSampler(100, 1).order(4));
  CHECK(samples(RandomSampler(100, 1, {.rank = 1, .world = 3}).order(4))[2] == whole[1 + 2 * 3]);
}

TEST_CASE("grouped sampler: adjacent replicas, epochs counted in rows") {
  const GroupedSampler sampler(50, 4, 9);  // 12 groups an epoch, 48 rows; 4 epochs a pass
  std::map<int64_t, int> seen;
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    const auto items = sampler.order(epoch);
    REQUIRE(items.size() == 48);
    for (size_t i = 0; i < items.size(); ++i) {
      CHECK(items[i].replica == static_cast<int>(i % 4));
      CHECK(items[i].group == items[i].sample);
      CHECK(items[i].sample == items[i / 4 * 4].sample);
    }
    for (size_t i = 0; i < items.size(); i += 4) ++seen[items[i].sample];
  }
  CHECK(seen.size() == 48);  // no image twice in a pass; 2 of 50 left out
  for (const auto& [sample, count] : seen) CHECK(count == 1);
  CHECK(sampler.order(4) != sampler.order(0));
  CHECK(sampler.order(3) == GroupedSampler(50, 4, 9).order(3));
}

TEST_CASE("grouped sampler: full passes, one replica, ranks") {
  const auto items = GroupedSampler(10, 3, 1, /*full_pass=*/true).order(2);
  REQUIRE(items.size() == 30);
  std::map<int64_t, int> count;
  for (const SampleItem& item : items) ++count[item.sample];
  CHECK(count.size() == 10);
  for (const auto& [sample, rows] : count) CHECK(rows == 3);

  CHECK(GroupedSampler(40, 1, 7).order(3) == RandomSampler(40, 7).order(3));

  // Groups are never split between ranks.
  std::set<int64_t> all;
  for (int rank = 0; rank < 2; ++rank) {
    const auto share = GroupedSampler(33, 3, 2, false, {.rank = rank, .world = 2}).order(0);
    CHECK(share.size() == 5 * 3);  // 11 groups, one left out
    for (size_t i = 0; i < share.size(); ++i) CHECK(share[i].replica == static_cast<int>(i % 3));
    for (const SampleItem& item : share) all.insert(item.sample);
  }
  CHECK(all.size() == 10);
}

TEST_CASE("samplers: errors") {
  REQUIRE_THROWS_WITH(RandomSampler(-1, 0), contains("[sampler]"));
  REQUIRE_THROWS_WITH(RandomSampler(4, 0, {.rank = 2, .world = 2}), contains("2 of 2"));
  REQUIRE_THROWS_WITH(RandomSampler(4, 0, {.rank = 0, .world = 0}), contains("[sampler]"));
  REQUIRE_THROWS_WITH(GroupedSampler(4, 0, 0), contains("replicas must be in [1, 256], got 0"));
  REQUIRE_THROWS_WITH(GroupedSampler(4, 257, 0), contains("257"));
  REQUIRE_THROWS_WITH(RandomSampler(4, 0).order(-1), contains("epoch"));
}

TEST_CASE("ra sampler: the order of DeiT's and torchvision's class") {
  const auto make = [](int rank) {
    return RASampler(5, 3, 0, {.rank = rank, .world = 2}, [](int64_t) {
      return std::vector<int64_t>{3, 1, 4, 0, 2};
    });
  };
  CHECK(samples(make(0).uncut_order(0)) == std::vector<int64_t>{3, 3, 1, 4, 4, 0, 2, 2});
  CHECK(samples(make(1).uncut_order(0)) == std::vector<int64_t>{3, 1, 1, 4, 0, 0, 2, 3});
  CHECK(make(0).order(0).empty());  // fewer than 256 images
  // The rows of an image differ in their replica, over all ranks and the filling at the end.
  std::set<std::pair<int64_t, int32_t>> rows;
  for (int rank : {0, 1})
    for (const SampleItem& item : make(rank).uncut_order(0)) {
      CHECK(item.group == item.sample);
      CHECK(rows.emplace(item.sample, item.replica).second);
    }
  CHECK(rows.size() == 16);
}

TEST_CASE("ra sampler: cut to whole 256s, replicas adjacent in one process") {
  const RASampler sampler(1000, 3, 7);
  const auto order = sampler.order(2);
  CHECK(order.size() == 768);
  CHECK(RASampler(50000, 3, 7).order(0).size() == 49920);
  CHECK(RASampler(50000, 3, 7, {.rank = 3, .world = 7}).order(0).size() == 7131);
  CHECK(RASampler(0, 3, 7).order(0).empty());
  for (size_t i = 0; i < order.size(); ++i) {
    CHECK(order[i].sample == order[i / 3 * 3].sample);
    CHECK(order[i].replica == static_cast<int32_t>(i % 3));
  }
  CHECK(order == sampler.order(2));
  CHECK(order != sampler.order(3));
  // With as many ranks as repetitions no rank sees an image twice.
  const auto alone = samples(RASampler(1024, 3, 7, {.rank = 1, .world = 3}).order(0));
  CHECK(std::set<int64_t>(alone.begin(), alone.end()).size() == alone.size());
  CHECK(alone.size() == 341);
}

TEST_CASE("ra sampler: refuses what is no permutation") {
  const auto order = [](const std::vector<int64_t>& images) {
    return RASampler(3, 2, 0, {}, [images](int64_t) { return images; }).order(0);
  };
  REQUIRE_THROWS_WITH(order({0, 1}), contains("a permutation of 2 images for a data set of 3"));
  REQUIRE_THROWS_WITH(order({0, 1, 3}), contains("has image 3 of 3"));
  REQUIRE_THROWS_WITH(RASampler(3, 0, 0), contains("repetitions must be in [1, 128], got 0"));
  REQUIRE_THROWS_WITH(RASampler(3, 129, 0), contains("129"));
}
