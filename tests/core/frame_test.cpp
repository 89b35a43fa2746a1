#include "core/frame.h"

#include "tests/support/catch.h"

using namespace ditto;

namespace {

void check_point(Point actual, Point expected) {
  CHECK(actual.x == Approx(expected.x).margin(1e-9));
  CHECK(actual.y == Approx(expected.y).margin(1e-9));
}

}  // namespace

TEST_CASE("affine maps compose in reading order and invert") {
  const Affine shift = Affine::translation(3, -2), turn = Affine::rotation(0.7);
  check_point(shift.then(turn)(Point{1, 5}), turn(shift(Point{1, 5})));
  const Affine map =
      shift.then(turn).then(Affine::scaling(2, 0.5)).then(Affine{1, 0.3, 0, 0, 1, 0});
  check_point(map.inverse()(map(Point{-4, 9})), {-4, 9});
  CHECK(map.determinant() == Approx(1.0));
  REQUIRE_THROWS_WITH(Affine::scaling(0, 1).inverse(), testing::contains("[affine] singular"));
}

TEST_CASE("a box maps to the hull of its corners") {
  const Rect box = Affine::rotation(std::acos(-1.0) / 2)(Rect{1, 0, 3, 1});  // x -> -y, y -> x
  CHECK(box.x0 == Approx(-1));
  CHECK(box.x1 == Approx(0).margin(1e-12));
  CHECK(box.y0 == Approx(1));
  CHECK(box.y1 == Approx(3));
  CHECK(Rect{2, 2, 1, 5}.area() == 0);
}

TEST_CASE("a frame keeps the visible part and inverts") {
  // 10 x 6 moved 3 to the right on a canvas of 8 x 6: source columns 0..5 remain, at 3..8.
  const Frame frame = Frame::identity(10, 6).then(Affine::translation(3, 0), 8, 6);
  CHECK(frame.visible.x0 == 3);
  CHECK(frame.visible.x1 == 8);
  CHECK(frame.visible.y1 == 6);
  const Frame back = frame.inverse();
  CHECK(back.width == 10);
  CHECK(back.source_width == 8);
  CHECK(back.visible.x0 == 0);
  CHECK(back.visible.x1 == 5);
  check_point(back.map(frame.map(Point{2.5, 1})), {2.5, 1});
  // There and back is the identity on points, and remembers what was lost.
  const Frame round = frame.then(back.map, back.width, back.height);
  check_point(round.map(Point{7, 3}), {7, 3});
  CHECK(round.visible.x1 == 5);
}
