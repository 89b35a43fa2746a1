// The shared memory of the block that is running. Every array is handed out at its first use in a
// block, filled with 0xFF bytes (NaN) and, under AddressSanitizer, between redzones.
#pragma once

#include <cstddef>
#include <vector>

#include "tests/cuda_emulation/site.h"

namespace ditto::emulation {

// One per SHARED_ARRAY and template instantiation; its address identifies the array.
struct SharedKey {
  const char* name;
  Site site;
};

struct SharedArray {
  const SharedKey* key;  // null: the dynamic array
  char* data;
  size_t bytes;
};

class SharedMemory {
 public:
  SharedMemory();
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Forgets all arrays; makes the dynamic one.
  void begin_block(size_t dynamic_bytes);

  // The array of that key; null when the arrays together exceed what a block may have.
  void* array(const SharedKey& key, size_t bytes);
  void* dynamic() const { return arrays_.front().data; }

  const std::vector<SharedArray>& arrays() const { return arrays_; }
  bool contains(const void* address) const {
    return address >= begin_ && address < begin_ + kArena;
  }

 private:
  static constexpr size_t kArena = 512 * 1024;  // the most a block may have, and redzones
  static constexpr size_t kRedzone = 128;

  SharedArray& add(const SharedKey* key, size_t bytes);

  char* begin_ = nullptr;
  size_t used_ = 0;          // of the arena, with redzones
  size_t static_bytes_ = 0;  // of arrays with a key
  std::vector<SharedArray> arrays_;
};

}  // namespace ditto::emulation
