#include "tests/support/heap.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#ifdef __GLIBC__
#include <link.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define DITTO_COUNTS_HEAP 0
#else
#define DITTO_COUNTS_HEAP 1
#endif

namespace {
std::atomic<int64_t> calls{0}, own_calls{0};

#if DITTO_COUNTS_HEAP
struct Range {
  uintptr_t begin = 0, end = 0;
};

// Where oneDNN's code lies.
Range find_onednn() {
  Range range;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        if (!std::strstr(info->dlpi_name, "libdnnl")) return 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X))
            *static_cast<Range*>(out) = {info->dlpi_addr + segment.p_vaddr,
                                         info->dlpi_addr + segment.p_vaddr + segment.p_memsz};
        }
        return 1;
      },
      &range);
  return range;
}

void note_call(const void* caller) {
  static const Range onednn = find_onednn();
  const auto at = reinterpret_cast<uintptr_t>(caller);
  calls.fetch_add(1, std::memory_order_relaxed);
  if (at < onednn.begin || at >= onednn.end) own_calls.fetch_add(1, std::memory_order_relaxed);
}
#endif
}  // namespace

namespace ditto::testing {
int64_t heap_calls() { return calls.load(); }
int64_t own_heap_calls() { return own_calls.load(); }
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
  note_call(__builtin_return_address(0));
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  note_call(__builtin_return_address(0));
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  note_call(__builtin_return_address(0));
  return __libc_realloc(old, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  note_call(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  note_call(__builtin_return_address(0));
  void* block = __libc_memalign(alignment, size);
  if (!block) return ENOMEM;
  *out = block;
  return 0;
}
}

// Defined here as well, because malloc would see the standard library as the caller. The remaining
// forms of new end in these.
void* operator new(size_t size) {
  note_call(__builtin_return_address(0));
  void* block = __libc_malloc(size > 0 ? size : 1);
  if (!block) throw std::bad_alloc();
  return block;
}
void* operator new[](size_t size) {
  note_call(__builtin_return_address(0));
  void* block = __libc_malloc(size > 0 ? size : 1);
  if (!block) throw std::bad_alloc();
  return block;
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete[](void* block, size_t) noexcept { std::free(block); }
#endif
