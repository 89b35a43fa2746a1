// HD (core/host_device.h), and TypeList, which numbers the elementwise operations.
#pragma once

#include <cstddef>
#include <type_traits>

#include "core/host_device.h"

namespace ditto {

template <class... Ts>
struct TypeList {
  static constexpr size_t size = sizeof...(Ts);
};

// Position of T in the list; not being there is a compile error that says what to do.
template <class T, class... Ts>
consteval int index_in(TypeList<Ts...>) {
  static_assert((std::is_same_v<T, Ts> || ...), "add the op to its TypeList in kernels/*_math.h");
  int index = 0, found = -1;
  ((std::is_same_v<T, Ts> ? found = index : 0, ++index), ...);
  return found;
}

}  // namespace ditto
