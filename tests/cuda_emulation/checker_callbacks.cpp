// What code compiled with -fsanitize=thread calls: here it is linked without ThreadSanitizer, and
// these functions take its place (the arrangement of the Linux kernel's KCSAN). Plain accesses of
// kernels go to the checker; the host code of such files passes through.
//
// Reference: LLVM compiler-rt, tsan_interface.h; GCC, gcc/sanitizer.def.
#include <cstddef>
#include <cstdint>

#include "tests/cuda_emulation/checker.h"

using ditto::emulation::checker::access;
using ditto::emulation::checker::Access;

#define ACCESSES(bytes)                                             \
  void __tsan_read##bytes(void* at) {                               \
    access(at, bytes, Access::kRead, __builtin_return_address(0));  \
  }                                                                 \
  void __tsan_write##bytes(void* at) {                              \
    access(at, bytes, Access::kWrite, __builtin_return_address(0)); \
  }                                                                 \
  void __tsan_unaligned_read##bytes(void* at) {                     \
    access(at, bytes, Access::kRead, __builtin_return_address(0));  \
  }                                                                 \
  void __tsan_unaligned_write##bytes(void* at) {                    \
    access(at, bytes, Access::kWrite, __builtin_return_address(0)); \
  }                                                                 \
  void __tsan_volatile_read##bytes(void* at) {                      \
    access(at, bytes, Access::kRead, __builtin_return_address(0));  \
  }                                                                 \
  void __tsan_volatile_write##bytes(void* at) {                     \
    access(at, bytes, Access::kWrite, __builtin_return_address(0)); \
  }

// Atomics of the host (reference counts); kernels use atomicAdd() and its kin.
#define ATOMICS(bits, T)                                                                       \
  T __tsan_atomic##bits##_load(const volatile T* at, int) {                                    \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                              \
  }                                                                                            \
  void __tsan_atomic##bits##_store(volatile T* at, T value, int) {                             \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                             \
  }                                                                                            \
  T __tsan_atomic##bits##_exchange(volatile T* at, T value, int) {                             \
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                   \
  }                                                                                            \
  T __tsan_atomic##bits##_fetch_add(volatile T* at, T value, int) {                            \
    return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST);                                    \
  }                                                                                            \
  T __tsan_atomic##bits##_fetch_sub(volatile T* at, T value, int) {                            \
    return __atomic_fetch_sub(at, value, __ATOMIC_SEQ_CST);                                    \
  }                                                                                            \
  T __tsan_atomic##bits##_fetch_and(volatile T* at, T value, int) {                            \
    return __atomic_fetch_and(at, value, __ATOMIC_SEQ_CST);                                    \
  }                                                                                            \
  T __tsan_atomic##bits##_fetch_or(volatile T* at, T value, int) {                             \
    return __atomic_fetch_or(at, value, __ATOMIC_SEQ_CST);                                     \
  }                                                                                            \
  T __tsan_atomic##bits##_fetch_xor(volatile T* at, T value, int) {                            \
    return __atomic_fetch_xor(at, value, __ATOMIC_SEQ_CST);                                    \
  }                                                                                            \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile T* at, T* expected, T value, int, \
                                                    int) {                                     \
    return __atomic_compare_exchange_n(at, expected, value, false, __ATOMIC_SEQ_CST,           \
                                       __ATOMIC_SEQ_CST);                                      \
  }                                                                                            \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile T* at, T* expected, T value, int,   \
                                                  int) {                                       \
    return __atomic_compare_exchange_n(at, expected, value, true, __ATOMIC_SEQ_CST,            \
                                       __ATOMIC_SEQ_CST);                                      \
  }

extern "C" {
void __tsan_init() { ditto::emulation::checker::start(); }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) {}
void __tsan_read_range(void* at, size_t bytes) {
  access(at, bytes, Access::kRead, __builtin_return_address(0));
}
void __tsan_write_range(void* at, size_t bytes) {
  access(at, bytes, Access::kWrite, __builtin_return_address(0));
}
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
}
