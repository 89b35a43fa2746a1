// The memory of the emulated devices: every buffer of its own, guarded against the host, with a
// record of which operation wrote and read which bytes last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "tests/cuda_emulation/cudart_runtime.h"

namespace ditto::emulation {

enum class MemoryKind { Malloc, Pool, Graph, Pinned };

// One access that later ones are compared with.
struct Touch {
  int lane = 0;
  uint64_t time = 0;
  std::shared_ptr<const Work> work;  // for messages
};
// Bytes [key, end) of a buffer with one history.
struct Span {
  size_t end = 0;
  Touch writer;
  std::vector<Touch> readers;  // since the last write, one per lane
};

struct Allocation {
  char* begin = nullptr;
  size_t bytes = 0;
  int device = 0;
  MemoryKind kind = MemoryKind::Malloc;
  uint64_t serial = 0;
  bool freeing = false;  // a free has been submitted
  CallStack made, freed;
  std::map<size_t, Span> spans;
  std::weak_ptr<GraphMemory> graph;
};

struct GraphMemory {
  char* begin = nullptr;
  size_t bytes = 0;
  bool live = false;          // between its allocation node and the free, as work runs
  bool freed_inside = false;  // by a node of its graph
  bool kept = false;          // left by the last launch that was submitted
  ~GraphMemory();
};

struct MemoryPool {
  uint64_t threshold = 0;
  uint64_t used = 0, used_high = 0, reserved = 0, reserved_high = 0;
  std::map<int, int> reuse;  // cudaMemPoolReuse... switches; kept, without effect
};

class Memory {
 public:
  size_t limit = 0;  // bytes per device
  std::map<uintptr_t, Allocation> buffers;
  std::vector<MemoryPool> pools;    // the default pool of each device
  std::vector<uint64_t> allocated;  // by cudaMalloc, per device
  uint64_t serial = 0;

  // Null when the device is full.
  Allocation* allocate(MemoryKind kind, int device, size_t bytes);
  // Gives the bytes back now.
  void release(char* begin);
  // The live buffer with this first byte, or around this byte.
  Allocation* starting_at(const void* pointer);
  Allocation* around(const void* pointer);
  // What is known of an address that is not in a live buffer.
  std::string describe(const void* pointer) const;
  bool freed_since(const void* pointer, uint64_t serial) const;

  // Device memory is closed to the host except between these.
  void open();
  void close();
  // Reports accesses that are out of bounds, on the wrong device or not ordered with others; false
  // when the bytes do not exist.
  bool check_access(const OperationPtr& operation, const Access& access);
  // Host memory that an unfinished copy will write is closed until the host synchronises.
  void guard_pinned(const OperationPtr& operation);
  void unguard_pinned();
  // A pool keeps what it reserved up to its threshold; the rest goes back at a synchronisation.
  void trim(int device);
  // For the checker: operations other than kernels have initialised what they wrote.
  void mark_written(const Work& work);

  // The bytes become a fresh buffer (of NaNs), or none; done by the nodes of graphs themselves.
  void enter(char* begin, size_t bytes, int device);
  void leave(char* begin, size_t bytes);

 private:
  struct Freed {
    size_t bytes;
    uint64_t serial;
    CallStack made, freed;
  };
  // Compares with the history of the bytes, and enters it.
  void note_access(const OperationPtr& operation, const Access& access, Allocation& buffer);
  bool is_open(const Allocation& buffer) const;

  std::map<uintptr_t, Freed> freed_;
  struct Guard {
    OperationPtr operation;
    const char* begin;
    size_t bytes;
  };
  std::list<Guard> guards_;
  bool open_ = false;
};

Memory& memory();

// Bytes from the heap under AddressSanitizer, else from a reserved range that can be closed as a
// whole. 256-byte aligned; null when there are none.
char* arena_allocate(size_t bytes);
void arena_release(char* begin, size_t bytes);
// Without AddressSanitizer: opens and closes the whole range, where a touch of the host is then a
// finding.
void arena_protect(bool closed);

}  // namespace ditto::emulation
