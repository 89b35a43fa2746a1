#include "core/shape.h"

#include <algorithm>

namespace ditto {

std::string Shape::text() const {
  std::string text = "(";
  for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string(sizes_[i]);
  return text + ")";
}

void Shape::insert(int position, int64_t size) {
  check(position >= 0 && position <= rank_, "[shape] cannot insert at", position, "of", *this);
  push_back(size);
  for (int i = rank_ - 1; i > position; --i) sizes_[i] = sizes_[i - 1];
  sizes_[position] = size;
}

void Shape::erase(int position) {
  position = normalize_dim(position);
  for (int i = position; i + 1 < rank_; ++i) sizes_[i] = sizes_[i + 1];
  sizes_[--rank_] = 0;
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  const int shift = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    int64_t& size = out[i + shift];
    if (size == 1) size = shorter[i];
    if (shorter[i] != size && shorter[i] != 1)
      fail(std::string("[") + op + "] shapes do not broadcast:", a, "and", b);
  }
  return out;
}

}  // namespace ditto
