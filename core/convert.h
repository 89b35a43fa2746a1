// convert: one element from one dtype to another, the same on both devices.
#pragma once

#include <type_traits>

#include "core/half.h"

namespace ditto {

template <class T>
inline constexpr bool is_half = std::is_same_v<T, BFloat16> || std::is_same_v<T, Float16>;

// Floats to integers truncate towards zero, anything to bool is `!= 0`; 16-bit floats go through
// f32.
template <class To, class From>
HD To convert(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (is_half<From>)
    return convert<To>(static_cast<float>(value));
  else if constexpr (std::is_same_v<To, bool>)
    return value != From{};
  else if constexpr (is_half<To>)
    return To(static_cast<float>(value));
  else
    return static_cast<To>(value);
}

}  // namespace ditto
