#include "tests/support/heap.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define DITTO_COUNTS_HEAP 0
#else
#define DITTO_COUNTS_HEAP 1
#endif

namespace {
std::atomic<int64_t> calls{0};
}  // namespace

namespace ditto::testing {
int64_t heap_calls() { return calls.load(); }
bool heap_is_counted() { return DITTO_COUNTS_HEAP; }
}  // namespace ditto::testing

#if DITTO_COUNTS_HEAP
// A definition in the program takes precedence over libc's for every library in the process; libc
// keeps its own under these names for exactly this purpose.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  calls.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  calls.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  calls.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(old, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  calls.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  calls.fetch_add(1, std::memory_order_relaxed);
  void* block = __libc_memalign(alignment, size);
  if (!block) return ENOMEM;
  *out = block;
  return 0;
}
}
#endif
