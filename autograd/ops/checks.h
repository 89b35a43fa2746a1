// Checks that several ops share; each names the op.
#pragma once

#include <string>

#include "core/tensor.h"

namespace ditto {

inline void check_defined(const char* op, const Tensor& x) {
  if (!x.defined()) fail(std::string("[") + op + "] a tensor argument is undefined");
}

// f32, f64 or bf16.
inline void check_floating(const char* op, const Tensor& x) {
  check_defined(op, x);
  if (!is_floating(x.dtype()))
    fail(std::string("[") + op + "] needs dtype f32, f64 or bf16, got", x);
}

// Same dtype and device; nothing is converted silently.
inline void check_match(const char* op, const Tensor& a, const Tensor& b) {
  check_floating(op, a);
  check_floating(op, b);
  if (a.dtype() != b.dtype()) fail(std::string("[") + op + "] dtypes differ:", a, "and", b);
  if (!(a.device() == b.device())) fail(std::string("[") + op + "] devices differ:", a, "and", b);
}

inline void check_rank(const char* op, const Tensor& x, int rank) {
  check_floating(op, x);
  if (x.rank() != rank) fail(std::string("[") + op + "] needs", rank, "dimensions, got", x.shape());
}

// i64 of shape (n), where `data` is.
inline void check_index(const char* op, const Tensor& index, int64_t n, const Tensor& data) {
  check_defined(op, index);
  if (index.dtype() != Dtype::I64 || index.rank() != 1 || index.dim(0) != n)
    fail(std::string("[") + op + "] needs an i64 tensor of", n, "entries, got", index);
  if (!(index.device() == data.device()))
    fail(std::string("[") + op + "] devices differ:", data, "and", index);
}

}  // namespace ditto
