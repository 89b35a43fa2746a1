#include "core/pool.h"

#include <array>
#include <bit>
#include <mutex>
#include <new>

#include "core/sanitizer.h"

namespace ditto {
namespace {

constexpr bool kPassThrough = kAddressSanitizer;  // let the sanitizer see every object

constexpr size_t kSmallest = 32, kLargest = size_t{1} << 20;  // 16 lists

struct FreeObject {
  FreeObject* next;
};

struct Pool {
  std::mutex mutex;
  std::array<FreeObject*, 16> lists{};
};

// Never destroyed: objects with static storage may be released after main.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

size_t rounded(size_t bytes) { return std::bit_ceil(bytes < kSmallest ? kSmallest : bytes); }
int list_of(size_t size) { return std::countr_zero(size) - std::countr_zero(kSmallest); }

}  // namespace

void* pool_allocate(size_t bytes) {
  const size_t size = rounded(bytes);
  if (kPassThrough || size > kLargest) return ::operator new(bytes);
  {
    std::lock_guard lock(pool().mutex);
    FreeObject*& head = pool().lists[list_of(size)];
    if (head) return std::exchange(head, head->next);
  }
  return ::operator new(size);
}

void pool_release(void* pointer, size_t bytes) noexcept {
  const size_t size = rounded(bytes);
  if (kPassThrough || size > kLargest) return ::operator delete(pointer);
  std::lock_guard lock(pool().mutex);
  FreeObject*& head = pool().lists[list_of(size)];
  head = new (pointer) FreeObject{head};
}

}  // namespace ditto
