#include "data/mix.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;
using ditto::kernels::MixKind;
using ditto::kernels::MixRow;
using ditto::testing::contains;

namespace {

// 4 replicas each of images 10, 20, 30; 1 of image 40, cut by the border of the batch.
const std::vector<int64_t> kGroups = {10, 10, 10, 10, 20, 20, 20, 20, 30, 30, 30, 30, 40};

std::vector<MixRow> draw(const MixOptions& options, uint64_t seed,
                         const std::vector<int64_t>& groups = kGroups) {
  Rng rng(seed, Purpose::Mix);
  return draw_mix(options, rng, groups, 32, 24);
}

void check_row(const MixRow& row) {
  if (row.kind == MixKind::CutMix) {
    CHECK((row.box.x0 >= 0 && row.box.y0 >= 0 && row.box.x1 <= 32 && row.box.y1 <= 24));
    CHECK(row.keep ==
          static_cast<float>(static_cast<double>(32 * 24 - row.box.area()) / (32 * 24)));
  }
  CHECK((row.keep >= 0 && row.keep <= 1));
}

}  // namespace

TEST_CASE("mix: D2 draws once per group, positions per replica") {
  const MixOptions options{.cutmix_alpha = 1, .mixup_alpha = 1};
  bool cutmix = false, mixup = false, positions_differ = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto rows = draw(options, seed);
    std::set<int64_t> partners;
    for (size_t g = 0; g < 4; ++g) {
      const size_t first = 4 * g, size = g == 3 ? 1 : 4;
      const int64_t partner_group = kGroups[static_cast<size_t>(rows[first].partner)];
      CHECK(partner_group != kGroups[first]);
      partners.insert(partner_group);
      for (size_t r = 0; r < size; ++r) {
        const MixRow& row = rows[first + r];
        check_row(row);
        CHECK(row.kind == rows[first].kind);
        CHECK(row.keep == rows[first].keep);
        CHECK(row.box.area() == rows[first].box.area());
        CHECK(row.box.x1 - row.box.x0 == rows[first].box.x1 - rows[first].box.x0);
        // Row r of the group pairs with row r of the partner group (0 where that has one row).
        CHECK(kGroups[static_cast<size_t>(row.partner)] == partner_group);
        CHECK(row.partner ==
              (partner_group == 40 ? 12 : (partner_group / 10 - 1) * 4 + static_cast<int64_t>(r)));
        positions_differ |= row.box.x0 != rows[first].box.x0;
      }
      cutmix |= rows[first].kind == MixKind::CutMix;
      mixup |= rows[first].kind == MixKind::Mixup;
    }
    CHECK(partners.size() == 4);  // every group is a partner once
  }
  CHECK((cutmix && mixup && positions_differ));
}

TEST_CASE("mix: D1 draws for every row") {
  const MixOptions options{.cutmix_alpha = 1, .mixup_alpha = 0, .mode = MixMode::PerReplica};
  bool keeps_differ = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto rows = draw(options, seed);
    std::set<int64_t> partners;
    for (size_t r = 0; r < rows.size(); ++r) {
      check_row(rows[r]);
      CHECK(rows[r].kind == MixKind::CutMix);
      CHECK(rows[r].partner != static_cast<int64_t>(r));
      partners.insert(rows[r].partner);
    }
    CHECK(partners.size() == rows.size());
    keeps_differ |= rows[0].keep != rows[1].keep;
  }
  CHECK(keeps_differ);
}

TEST_CASE("mix: probability, lambda's law, and nothing to mix with") {
  std::vector<int64_t> groups(1000);
  for (size_t i = 0; i < groups.size(); ++i) groups[i] = static_cast<int64_t>(i);
  int mixed = 0, cutmix = 0;
  double sum = 0, squares = 0, cutmix_sum = 0;
  for (uint64_t seed = 0; seed < 10; ++seed)
    for (const MixRow& row :
         draw({.cutmix_alpha = 1, .mixup_alpha = 2, .probability = 0.25}, seed, groups)) {
      mixed += row.kind != MixKind::None;
      cutmix += row.kind == MixKind::CutMix;
      if (row.kind == MixKind::None) CHECK(row.keep == 1);
      if (row.kind == MixKind::CutMix) cutmix_sum += row.keep;
      if (row.kind != MixKind::Mixup) continue;
      sum += row.keep, squares += row.keep * row.keep;
    }
  CHECK(mixed == Approx(2500).margin(200));  // 4.6 sigma
  CHECK(cutmix == Approx(mixed / 2.0).margin(120));
  CHECK(cutmix_sum / cutmix == Approx(0.5).margin(0.035));  // uniform, 4 sigma = 0.033
  const double n = mixed - cutmix;
  CHECK(sum / n == Approx(0.5).margin(0.03));  // Beta(2, 2): mean 1/2, variance 1/20
  CHECK(squares / n - sum / n * sum / n == Approx(0.05).margin(0.006));

  for (const MixRow& row : draw({.cutmix_alpha = 1}, 1, {5, 5, 5})) {
    CHECK(row.kind == MixKind::None);
    CHECK(row.keep == 1);
  }
  CHECK(draw({.mixup_alpha = 1}, 1, {}).empty());
  CHECK_FALSE(MixOptions{}.enabled());
}

TEST_CASE("mix: errors") {
  REQUIRE_THROWS_WITH(draw({.cutmix_alpha = -1}, 0), contains("[mix] alpha"));
  REQUIRE_THROWS_WITH(draw({.mixup_alpha = std::nan("")}, 0), contains("[mix] alpha"));
  REQUIRE_THROWS_WITH(draw({.mixup_alpha = 1, .probability = 2}, 0), contains("probability"));
}
