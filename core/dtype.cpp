#include "core/dtype.h"

namespace ditto {

std::string to_string(Dtype dtype) {
  switch (dtype) {
    case Dtype::F32:
      return "f32";
    case Dtype::F64:
      return "f64";
    case Dtype::BF16:
      return "bf16";
    case Dtype::F16:
      return "f16";
    case Dtype::I32:
      return "i32";
    case Dtype::I64:
      return "i64";
    case Dtype::U8:
      return "u8";
    case Dtype::Bool:
      return "bool";
  }
  return "?";
}

}  // namespace ditto
