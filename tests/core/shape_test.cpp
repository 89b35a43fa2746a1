#include "core/shape.h"

#include "tests/support/catch.h"

namespace ditto {
using testing::contains;

TEST_CASE("a shape knows its sizes, rank and number of elements") {
  const Shape shape{2, 3, 4};
  REQUIRE(shape.rank() == 3);
  REQUIRE(shape.numel() == 24);
  REQUIRE(shape.dim(-1) == 4);
  REQUIRE(shape.dim(0) == 2);
  REQUIRE(shape.front() == 2);
  REQUIRE(shape.back() == 4);
  REQUIRE(to_string(shape) == "(2, 3, 4)");
  REQUIRE(Shape{}.numel() == 1);
  REQUIRE(Shape{}.empty());
  REQUIRE(to_string(Shape{}) == "()");
  REQUIRE(Shape{2, 0, 4}.numel() == 0);
}

TEST_CASE("shapes are equal when rank and sizes are") {
  REQUIRE(Shape{2, 3} == Shape{2, 3});
  REQUIRE_FALSE(Shape{2, 3} == Shape{3, 2});
  REQUIRE_FALSE(Shape{2, 3} == Shape{2, 3, 1});
  REQUIRE(Shape::filled(3, 7) == Shape{7, 7, 7});
}

TEST_CASE("a shape refuses what it cannot hold") {
  REQUIRE_THROWS_WITH((Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}), contains("[shape] too many dimensions"));
  Shape full = Shape::filled(8, 1);
  REQUIRE_THROWS_WITH(full.push_back(1), contains("too many dimensions (at most 8): 9"));
  REQUIRE_THROWS_WITH((Shape{2, 3}.dim(2)), contains("dimension out of range: 2 of (2, 3)"));
  REQUIRE_THROWS_WITH((Shape{2, 3}.dim(-3)), contains("dimension out of range: -3"));
  REQUIRE_THROWS_WITH(Shape{}.back(), contains("dimension out of range"));
}

TEST_CASE("dimensions are inserted and erased in place") {
  Shape shape{2, 3};
  shape.insert(1, 9);
  REQUIRE(shape == Shape{2, 9, 3});
  shape.insert(3, 5);
  REQUIRE(shape == Shape{2, 9, 3, 5});
  shape.erase(0);
  REQUIRE(shape == Shape{9, 3, 5});
  shape.erase(-1);
  REQUIRE(shape == Shape{9, 3});
  REQUIRE_THROWS_WITH(shape.insert(3, 1), contains("cannot insert at 3 of (9, 3)"));
  REQUIRE_THROWS_WITH(shape.erase(2), contains("dimension out of range"));
}

TEST_CASE("contiguous strides are row-major") {
  REQUIRE(contiguous_strides({2, 3, 4}) == Shape{12, 4, 1});
  REQUIRE(contiguous_strides({5}) == Shape{1});
  REQUIRE(contiguous_strides({}) == Shape{});
}

TEST_CASE("broadcasting follows NumPy") {
  REQUIRE(broadcast_shapes({2, 3}, {2, 3}, "add") == Shape{2, 3});
  REQUIRE(broadcast_shapes({2, 3}, {3}, "add") == Shape{2, 3});
  REQUIRE(broadcast_shapes({3}, {2, 3}, "add") == Shape{2, 3});
  REQUIRE(broadcast_shapes({2, 1}, {1, 3}, "add") == Shape{2, 3});
  REQUIRE(broadcast_shapes({}, {4, 5}, "add") == Shape{4, 5});
  REQUIRE(broadcast_shapes({1}, {}, "add") == Shape{1});
  REQUIRE(broadcast_shapes({8, 1, 6, 1}, {7, 1, 5}, "add") == Shape{8, 7, 6, 5});
  // A dimension of size 0 stretches nothing: 1 becomes 0, anything else is an error.
  REQUIRE(broadcast_shapes({0}, {1}, "add") == Shape{0});
  REQUIRE(broadcast_shapes({1, 4}, {0, 4}, "add") == Shape{0, 4});
  REQUIRE_THROWS_WITH(broadcast_shapes({0}, {2}, "add"), contains("do not broadcast"));
  REQUIRE_THROWS_WITH(broadcast_shapes({2, 3}, {2}, "mul"),
                      contains("[mul] shapes do not broadcast: (2, 3) and (2)"));
}

}  // namespace ditto
