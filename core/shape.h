// Shape: the sizes (or strides) of a tensor, at most kMaxRank numbers, stored inline so that
// handles never allocate.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/error.h"

namespace ditto {

class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(sizes.begin(), sizes.size()) {}
  Shape(const int64_t* sizes, size_t rank) {
    check(rank <= kMaxRank, "[shape] too many dimensions (at most 8):", rank);
    for (size_t i = 0; i < rank; ++i) sizes_[i] = sizes[i];
    rank_ = static_cast<int>(rank);
  }
  // `rank` copies of `value`.
  static Shape filled(int rank, int64_t value) {
    Shape shape;
    for (int i = 0; i < rank; ++i) shape.push_back(value);
    return shape;
  }

  int rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  int64_t operator[](int i) const { return sizes_[i]; }
  int64_t& operator[](int i) { return sizes_[i]; }
  // Size of dimension i; negative i counts from the end. Throws when out of range.
  int64_t dim(int i) const { return sizes_[normalize_dim(i)]; }
  // Maps -rank..rank-1 to 0..rank-1; throws when out of range.
  int normalize_dim(int i, const char* op = "shape") const {
    if (i < -rank_ || i >= rank_) [[unlikely]]
      fail(std::string("[") + op + "] dimension out of range:", i, "of", *this);
    return i < 0 ? i + rank_ : i;
  }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }
  int64_t front() const { return dim(0); }
  int64_t back() const { return dim(-1); }

  // Number of elements; 1 for a scalar.
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t size : *this) n *= size;
    return n;
  }
  void push_back(int64_t size) {
    check(rank_ < kMaxRank, "[shape] too many dimensions (at most 8):", rank_ + 1);
    sizes_[rank_++] = size;
  }
  void insert(int position, int64_t size);
  void erase(int position);

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.sizes_[i] != b.sizes_[i]) return false;
    return true;
  }
  // "(2, 3)"; a scalar is "()".
  friend std::string to_string(const Shape& shape) { return shape.text(); }
  std::string text() const;

 private:
  std::array<int64_t, kMaxRank> sizes_{};
  int rank_ = 0;
};

// Row-major strides, in elements, of a contiguous tensor.
Shape contiguous_strides(const Shape& shape);

// NumPy's broadcasting rule. Throws "[op] shapes do not broadcast" with both shapes.
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op);

}  // namespace ditto
