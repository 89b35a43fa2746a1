// Small-object pool: autograd nodes, lists of tensors and other short-lived bookkeeping come from
// here, so that a training step in steady state makes no malloc call of ours
// (tests/models/steady_state_test.cpp).
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace ditto {

// `bytes` from a free list of that size class; falls back to operator new. Thread-safe.
void* pool_allocate(size_t bytes);
void pool_release(void* pointer, size_t bytes) noexcept;

template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) noexcept {}
  T* allocate(size_t n) { return static_cast<T*>(pool_allocate(n * sizeof(T))); }
  void deallocate(T* pointer, size_t n) noexcept { pool_release(pointer, n * sizeof(T)); }
  template <class U>
  bool operator==(const PoolAllocator<U>&) const noexcept {
    return true;
  }
};

template <class T>
using PoolVector = std::vector<T, PoolAllocator<T>>;

template <class T, class... Args>
std::shared_ptr<T> make_pooled(Args&&... args) {
  return std::allocate_shared<T>(PoolAllocator<T>{}, std::forward<Args>(args)...);
}

}  // namespace ditto
