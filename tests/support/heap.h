// Counts calls to the system's heap (malloc and its relatives, from any library in the process), to
// show that something allocates nothing.
#pragma once

#include <cstdint>

namespace ditto::testing {

// Allocations so far, by all threads. The sanitizers bring their own malloc; then it stays at 0 and
// heap_is_counted() is false.
int64_t heap_calls();
// Those that did not come straight from oneDNN's library.
int64_t own_heap_calls();
bool heap_is_counted();

}  // namespace ditto::testing
