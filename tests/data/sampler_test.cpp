#include "data/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
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
  REQUIRE_THROWS_WITH(GroupedSampler(4, 2, 0).order(-1), contains("epoch"));
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

TEST_CASE("grouped sampler: as many rows and steps as without replicas (LossTransform-v1)") {
  constexpr int64_t kBatch = 12;
  for (const int world : {1, 2, 4})
    for (int rank = 0; rank < world; ++rank) {
      const Shard shard{.rank = rank, .world = world};
      const size_t steps = RandomSampler(960, 3, shard).order(0).size() / kBatch;
      for (const int replicas : {1, 2, 3, 4, 6}) {
        const auto items = GroupedSampler(960, replicas, 3, false, shard).order(5);
        CHECK(items.size() == steps * kBatch);
        for (size_t i = 0; i < items.size(); i += kBatch) {
          std::set<int64_t> groups;
          for (size_t k = i; k < i + kBatch; ++k) groups.insert(items[k].group);
          REQUIRE(groups.size() == static_cast<size_t>(kBatch / replicas));
        }
      }
    }
}

TEST_CASE("grouped sampler: ranks share whole groups, or spread their rows") {
  constexpr int kReplicas = 4;
  const auto key = [](const SampleItem& item) { return std::pair(item.sample, item.replica); };
  for (const bool full_pass : {false, true})
    for (const int world : {1, 2, 3, 4, 8}) {
      std::set<std::pair<int64_t, int32_t>> grouped, spread;
      for (int rank = 0; rank < world; ++rank) {
        const Shard shard{.rank = rank, .world = world};
        const auto whole = GroupedSampler(100, kReplicas, 7, full_pass, shard).order(2);
        const auto rows =
            GroupedSampler(100, kReplicas, 7, full_pass, shard, Sharding::Spread).order(2);
        const size_t all = full_pass ? 400 : 100;
        CHECK(whole.size() == all / kReplicas / static_cast<size_t>(world) * kReplicas);
        CHECK(rows.size() == all / static_cast<size_t>(world));
        for (size_t i = 0; i < whole.size(); ++i)
          CHECK(whole[i].replica == static_cast<int32_t>(i % kReplicas));
        if (world == kReplicas)  // each rank has one replica number, and no group
          for (const SampleItem& item : rows) CHECK(item.replica == rank);
        for (const SampleItem& item : whole) CHECK(grouped.insert(key(item)).second);
        for (const SampleItem& item : rows) CHECK(spread.insert(key(item)).second);
      }
      // Together they are what one rank sees, less the rest that cannot be shared.
      for (const SampleItem& item : GroupedSampler(100, kReplicas, 7, full_pass).order(2))
        if (spread.size() == (full_pass ? 400u : 100u)) CHECK(spread.contains(key(item)));
    }
  CHECK(sharding("spread") == Sharding::Spread);
  REQUIRE_THROWS_WITH(sharding("both"), contains("group or spread, got both"));
}

TEST_CASE("weighted sampler: draws in proportion, other replicas for the same image") {
  const std::vector<double> weights = {0, 1, 2, 5, 0};
  const WeightedSampler sampler(weights, 3, {.replicas = 2, .groups = 8000});
  const auto items = sampler.order(1);
  REQUIRE(items.size() == 16000);
  std::map<int64_t, int> drawn;
  std::map<int64_t, int32_t> next;
  for (const SampleItem& item : items) {
    ++drawn[item.sample];
    CHECK(item.replica == next[item.sample]);
    next[item.sample] = (item.replica + 1) % 256;
  }
  CHECK(drawn.size() == 3);
  for (const int64_t image : {1, 2, 3}) {
    const double expected = 16000 * weights[static_cast<size_t>(image)] / 8;
    CHECK(std::abs(drawn[image] - expected) < 5 * std::sqrt(expected));
  }
  CHECK(items == sampler.order(1));
  CHECK(items != sampler.order(2));
  // Two ranks see what one sees, in turn, with the same replica numbers.
  for (int rank = 0; rank < 2; ++rank) {
    const auto share =
        WeightedSampler(weights, 3, {.replicas = 2, .groups = 8000}, {.rank = rank, .world = 2})
            .order(1);
    REQUIRE(share.size() == 8000);
    for (size_t i = 0; i < share.size(); ++i)
      REQUIRE(share[i] == items[(i / 2 * 2 + static_cast<size_t>(rank)) * 2 + i % 2]);
  }
}

TEST_CASE("weighted sampler: without replacement") {
  std::vector<double> weights(100, 1.0);
  weights[7] = 1e6;
  weights[8] = 0;
  int first = 0;
  for (int64_t epoch = 0; epoch < 50; ++epoch) {
    const auto drawn =
        samples(WeightedSampler(weights, 1, {.replacement = false, .groups = 60}).order(epoch));
    CHECK(std::set<int64_t>(drawn.begin(), drawn.end()).size() == 60);
    CHECK(std::ranges::count(drawn, 8) == 0);
    first += drawn[0] == 7;
  }
  CHECK(first == 50);
  REQUIRE_THROWS_WITH(WeightedSampler(weights, 1, {.replacement = false}),
                      contains("cannot draw 100 images without replacement from 99"));
  REQUIRE_THROWS_WITH(WeightedSampler({0, 0}, 1), contains("must be positive, got 0"));
  REQUIRE_THROWS_WITH(WeightedSampler({1, -1}, 1), contains("got -1 for image 1"));
  REQUIRE_THROWS_WITH(WeightedSampler({1, NAN}, 1), contains("for image 1"));
  REQUIRE_THROWS_WITH(WeightedSampler({}, 1), contains("must be positive"));
}

TEST_CASE("class-balanced sampler: classes equally often, all images of a class in turn") {
  std::vector<int64_t> labels(90, 0);
  for (size_t i = 80; i < 87; ++i) labels[i] = 2;
  for (size_t i = 87; i < 90; ++i) labels[i] = 3;  // class 1 has none
  const ClassBalancedSampler sampler(labels, 4, 2, 5);
  const auto items = sampler.order(3);
  REQUIRE(items.size() == 90);
  std::map<int64_t, int> classes, images;
  for (size_t i = 0; i < items.size(); ++i) {
    CHECK(items[i].sample == items[i / 2 * 2].sample);
    ++classes[labels[static_cast<size_t>(items[i].sample)]];
    ++images[items[i].sample];
  }
  CHECK(classes == std::map<int64_t, int>{{0, 30}, {2, 30}, {3, 30}});
  for (int64_t image = 80; image < 87; ++image) CHECK((images[image] >= 4 && images[image] <= 6));
  for (int64_t image = 87; image < 90; ++image) CHECK(images[image] == 10);
  for (const auto& [image, count] : images)
    if (image < 80) CHECK(count == 2);  // 15 of 80, none twice
  std::set<std::pair<int64_t, int32_t>> rows;
  for (const SampleItem& item : items) CHECK(rows.insert({item.sample, item.replica}).second);
  CHECK(items != sampler.order(4));
  std::set<std::pair<int64_t, int32_t>> shared;
  for (int rank = 0; rank < 3; ++rank)
    for (const SampleItem& item :
         ClassBalancedSampler(labels, 4, 2, 5, {.rank = rank, .world = 3}).order(3))
      CHECK(shared.insert({item.sample, item.replica}).second);
  CHECK(shared == rows);
  REQUIRE_THROWS_WITH(ClassBalancedSampler(labels, 3, 2, 5), contains("label 3 of image 87"));
}

TEST_CASE("samplers: the ranks together see the epoch of one, by groups and by rows") {
  constexpr int64_t kImages = 47;
  constexpr int kReplicas = 3;
  std::vector<int64_t> labels(kImages);
  std::vector<double> weights(kImages);
  for (size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<int64_t>(i % 4 == 0);
    weights[i] = 1.0 + static_cast<double>(i % 3);
  }
  struct Kind {
    const char* name;
    int replicas;
    std::function<std::vector<SampleItem>(const Shard&, Sharding)> order;
    enum Rest { LeftOut, Uneven, Added } rest = LeftOut;
  };
  const std::vector<Kind> kinds = {
      {"sequential", 1,
       [](const Shard& shard, Sharding) { return SequentialSampler(kImages, shard).order(3); },
       Kind::Uneven},
      {"random", 1,
       [](const Shard& shard, Sharding) { return RandomSampler(kImages, 5, shard).order(3); }},
      {"grouped", kReplicas,
       [](const Shard& shard, Sharding sharding) {
         return GroupedSampler(kImages, kReplicas, 5, true, shard, sharding).order(3);
       }},
      {"weighted", kReplicas,
       [&](const Shard& shard, Sharding sharding) {
         return WeightedSampler(weights, 5, {.replicas = kReplicas, .groups = 61}, shard, sharding)
             .order(3);
       }},
      {"weighted, without replacement", kReplicas,
       [&](const Shard& shard, Sharding sharding) {
         return WeightedSampler(weights, 5,
                                {.replicas = kReplicas, .replacement = false, .groups = 31}, shard,
                                sharding)
             .order(3);
       }},
      {"class-balanced", kReplicas,
       [&](const Shard& shard, Sharding sharding) {
         return ClassBalancedSampler(labels, 2, kReplicas, 5, shard, sharding).order(3);
       }},
      {"ra", kReplicas,
       [](const Shard& shard, Sharding sharding) {
         return RASampler(kImages, kReplicas, 5, shard, {}, sharding).uncut_order(3);
       },
       Kind::Added},
  };
  for (const Kind& kind : kinds) {
    const std::vector<SampleItem> one = kind.order({}, Sharding::Group);
    REQUIRE(one.size() >= 45);
    CHECK(kind.order({}, Sharding::Spread) == one);
    for (const Sharding sharding : {Sharding::Group, Sharding::Spread})
      for (const int world : {2, 4, 64}) {
        INFO(kind.name << ", " << world << " ranks");
        const auto unit = static_cast<size_t>(sharding == Sharding::Group ? kind.replicas : 1);
        std::vector<std::vector<SampleItem>> ranks;
        size_t rows = 0;
        for (int rank = 0; rank < world; ++rank) {
          ranks.push_back(kind.order({.rank = rank, .world = world}, sharding));
          rows += ranks.back().size();
          if (kind.rest != Kind::Uneven) CHECK(ranks.back().size() == ranks.front().size());
        }
        // In turn, a unit of each rank, they make the order of one.
        std::vector<SampleItem> together;
        for (size_t at = 0; at < ranks.front().size(); at += unit)
          for (const auto& mine : ranks)
            for (size_t i = at; i < std::min(at + unit, mine.size()); ++i)
              together.push_back(mine[i]);
        REQUIRE(together.size() == rows);
        const size_t turn = unit * static_cast<size_t>(world);
        if (kind.rest == Kind::LeftOut) CHECK(rows == one.size() / turn * turn);
        if (kind.rest == Kind::Uneven) CHECK(rows == one.size());
        if (kind.rest == Kind::Added) CHECK(rows == (one.size() + turn - 1) / turn * turn);
        for (size_t i = 0; i < std::min(rows, one.size()); ++i) REQUIRE(together[i] == one[i]);
        // Nothing is there twice, what was added included: it has replica numbers of its own.
        std::set<std::pair<int64_t, int32_t>> seen;
        for (const SampleItem& item : together)
          REQUIRE(seen.insert({item.sample, item.replica}).second);
      }
  }
}

TEST_CASE("ra sampler: by groups, a rank's part ends with a whole group") {
  for (const int world : {1, 2, 4})
    for (int rank = 0; rank < world; ++rank) {
      const auto items =
          RASampler(1000, 3, 7, {.rank = rank, .world = world}, {}, Sharding::Group).order(2);
      CHECK(items.size() == static_cast<size_t>(768 / world / 3 * 3));
      for (size_t i = 0; i < items.size(); ++i) {
        CHECK(items[i].sample == items[i / 3 * 3].sample);
        CHECK(items[i].replica == static_cast<int32_t>(i % 3));
      }
    }
}
