#include "tests/cuda_emulation/shared_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

#include "core/sanitizer.h"
#include "tests/cuda_emulation/checker.h"
#include "tests/cuda_emulation/simt.h"

extern "C" {
void __asan_poison_memory_region(const volatile void* begin, size_t size);
void __asan_unpoison_memory_region(const volatile void* begin, size_t size);
}

namespace ditto::emulation {

SharedMemory::SharedMemory() {
  void* memory = mmap(nullptr, kArena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  begin_ = static_cast<char*>(memory);
  if constexpr (kAddressSanitizer) __asan_poison_memory_region(begin_, kArena);
}

SharedMemory::~SharedMemory() {
  if constexpr (kAddressSanitizer) __asan_unpoison_memory_region(begin_, kArena);
  munmap(begin_, kArena);
}

void SharedMemory::begin_block(size_t dynamic_bytes) {
  if constexpr (kAddressSanitizer) __asan_poison_memory_region(begin_, used_);
  arrays_.clear();
  used_ = 0;
  static_bytes_ = 0;
  add(nullptr, dynamic_bytes);
}

void* SharedMemory::array(const SharedKey& key, size_t bytes) {
  for (const SharedArray& array : arrays_)
    if (array.key == &key) return array.data;
  static_bytes_ += bytes;
  if (static_bytes_ > kMaxStaticSharedBytes ||
      static_bytes_ + arrays_.front().bytes > kMaxSharedBytes)
    return nullptr;
  return add(&key, bytes).data;
}

SharedArray& SharedMemory::add(const SharedKey* key, size_t bytes) {
  SharedArray array{key, begin_ + used_ + kRedzone, bytes};
  used_ += kRedzone + (bytes + kRedzone - 1) / kRedzone * kRedzone;
  if constexpr (kAddressSanitizer) __asan_unpoison_memory_region(array.data, bytes);
  std::memset(array.data, 0xFF, bytes);
  checker::shared_array(array.data, bytes, key ? key->name : "(dynamic)");
  arrays_.push_back(array);
  return arrays_.back();
}

}  // namespace ditto::emulation
