// The pieces of memory a kernel may touch, and which of their bytes have been written.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/cuda_emulation/races.h"

namespace ditto::emulation {

struct Region {
  uintptr_t begin = 0;
  size_t bytes = 0;
  const char* shared_name = nullptr;                                      // null: device memory
  std::unique_ptr<uint8_t[], void (*)(void*)> written{nullptr, nullptr};  // one per byte
  RaceShadow races;
  uint64_t last_launch = 0;  // that touched it

  uintptr_t end() const { return begin + bytes; }
  bool holds(uintptr_t address) const { return address - begin < bytes; }
  // "+12 of a device allocation of 400 bytes"
  std::string describe(uintptr_t address) const;
};

class Regions {
 public:
  Region& add(uintptr_t begin, size_t bytes, const char* shared_name);
  void remove(uintptr_t begin);
  void remove_shared();

  // The region that holds the address, or null.
  Region* find(uintptr_t address);
  void mark_written(uintptr_t begin, size_t bytes);

  // What an address outside of all regions looks like: kind and text of a report.
  struct Stray {
    const char* kind;
    std::string text;
  };
  Stray explain(uintptr_t address) const;

 private:
  struct Released {
    uintptr_t begin;
    size_t bytes;
  };

  std::map<uintptr_t, Region> regions_;
  std::vector<uintptr_t> shared_;
  std::vector<Released> released_;  // the latest ones, to name uses after release
  Region* last_[4] = {};            // most accesses go where one of the last few went
  size_t oldest_ = 0;               // of those
};

}  // namespace ditto::emulation
