// View: what a kernel sees of a tensor. A plain struct: pointer, dtype, shape and strides, no
// ownership.
#pragma once

#include "core/device.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace ditto {

struct View {
  void* data = nullptr;
  Dtype dtype = Dtype::F32;
  Device device;
  Shape shape;
  Shape strides;  // in elements

  // Typed pointer to the first element; throws when T does not match the dtype.
  template <class T>
  T* as() const {
    check(dtype_of<T> == dtype, "[view] dtype is", dtype, "but asked as", dtype_of<T>);
    return static_cast<T*>(data);
  }
  bool defined() const { return data != nullptr; }
  int64_t numel() const { return shape.numel(); }
  bool is_contiguous() const;
};

// Copies src into dst of the same shape: any strides, any pair of dtypes (floats to integers
// truncate towards zero, anything to bool is `!= 0`). Between any two devices; what arrives on the
// host is there on return.
void copy_view(const View& src, const View& dst);

}  // namespace ditto
