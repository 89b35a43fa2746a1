#include "tests/cuda_emulation/cudart_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/sanitizer.h"
#include "tests/cuda_emulation/checker.h"
#include "tests/cuda_emulation/cudart.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(begin, bytes) ((void)(begin), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(begin, bytes) ((void)(begin), (void)(bytes))
#endif

namespace ditto::emulation {
namespace {

const char* name_of(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::Malloc:
      return "cudaMalloc";
    case MemoryKind::Pool:
      return "cudaMallocAsync";
    case MemoryKind::Graph:
      return "graph";
    case MemoryKind::Pinned:
      return "pinned";
  }
  return "";
}

std::string extent(const Allocation& buffer) {
  return std::to_string(buffer.bytes) + " bytes (" + name_of(buffer.kind) +
         (buffer.kind == MemoryKind::Pinned ? ")"
                                            : ", device " + std::to_string(buffer.device) + ")");
}

std::string range(size_t begin, size_t end) {
  return "bytes " + std::to_string(begin) + " to " + std::to_string(end);
}

}  // namespace

Memory& memory() {
  static auto* const instance = new Memory;
  return *instance;
}

Allocation* Memory::allocate(MemoryKind kind, int device, size_t bytes) {
  const bool pinned = kind == MemoryKind::Pinned;
  if (!pinned) {
    const auto d = static_cast<size_t>(device);
    // Bytes that the pool reserved and does not use serve pool allocations only.
    const uint64_t spare = kind == MemoryKind::Malloc ? 0 : pools[d].reserved - pools[d].used;
    if (bytes > limit ||
        allocated[d] + pools[d].reserved + bytes > limit + std::min<uint64_t>(spare, bytes))
      return nullptr;
  }
  void* host = nullptr;
  char* const begin = !pinned                                   ? arena_allocate(bytes)
                      : posix_memalign(&host, 4096, bytes) == 0 ? static_cast<char*>(host)
                                                                : nullptr;
  if (!begin) return nullptr;
  Allocation& buffer = buffers[reinterpret_cast<uintptr_t>(begin)];
  buffer = {};
  buffer.begin = begin, buffer.bytes = bytes, buffer.device = device, buffer.kind = kind;
  buffer.serial = ++serial;
  buffer.made = CallStack::here();
  freed_.erase(reinterpret_cast<uintptr_t>(begin));
  if (kind == MemoryKind::Malloc) allocated[static_cast<size_t>(device)] += bytes;
  if (kind == MemoryKind::Pool || kind == MemoryKind::Graph) {
    MemoryPool& pool = pools[static_cast<size_t>(device)];
    pool.used += bytes;
    pool.used_high = std::max(pool.used_high, pool.used);
    pool.reserved = std::max(pool.reserved, pool.used);
    pool.reserved_high = std::max(pool.reserved_high, pool.reserved);
  }
  if (!pinned) {
    if (kind != MemoryKind::Graph) {  // that has its allocation nodes
      arena_protect(false);
      enter(begin, bytes, device);
    }
    if (!open_) {
      ASAN_POISON_MEMORY_REGION(begin, bytes);
      arena_protect(true);
    }
  } else {  // kernels may use it as it is
    checker::allocate(begin, bytes, device);
    checker::host_write(begin, bytes);
  }
  return &buffer;
}

// A float NaN in every word, so that what is read before it was written shows.
void Memory::enter(char* begin, size_t bytes, int device) {
  ASAN_UNPOISON_MEMORY_REGION(begin, bytes);
  checker::allocate(begin, bytes, device);
  std::memset(begin, 0xff, bytes);
}

void Memory::leave(char* begin, size_t bytes) {
  checker::release(begin);
  ASAN_POISON_MEMORY_REGION(begin, bytes);
}

void Memory::release(char* begin) {
  const auto found = buffers.find(reinterpret_cast<uintptr_t>(begin));
  Allocation& buffer = found->second;
  const auto d = static_cast<size_t>(buffer.device);
  if (buffer.kind == MemoryKind::Malloc) allocated[d] -= buffer.bytes;
  if (buffer.kind == MemoryKind::Pool || buffer.kind == MemoryKind::Graph)
    pools[d].used -= buffer.bytes;
  if (freed_.size() > 4096) freed_.erase(freed_.begin());
  freed_[found->first] = {buffer.bytes, ++serial, buffer.made, buffer.freed};
  if (buffer.kind == MemoryKind::Pinned) {
    checker::release(begin);
    std::free(begin);
  } else {
    if (is_open(buffer)) checker::release(begin);
    arena_release(begin, buffer.bytes);
  }
  buffers.erase(found);
}

void Memory::trim(int device) {
  MemoryPool& pool = pools[static_cast<size_t>(device)];
  pool.reserved = std::max(pool.used, std::min(pool.reserved, pool.threshold));
}

Allocation* Memory::starting_at(const void* pointer) {
  const auto found = buffers.find(reinterpret_cast<uintptr_t>(pointer));
  return found == buffers.end() ? nullptr : &found->second;
}

Allocation* Memory::around(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  auto after = buffers.upper_bound(address);
  if (after == buffers.begin()) return nullptr;
  Allocation& buffer = std::prev(after)->second;
  return address - reinterpret_cast<uintptr_t>(buffer.begin) < buffer.bytes ? &buffer : nullptr;
}

std::string Memory::describe(const void* pointer) const {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  const auto after = buffers.upper_bound(address);
  const Allocation* before = after == buffers.begin() ? nullptr : &std::prev(after)->second;
  const size_t offset = before ? address - std::prev(after)->first : 0;
  if (before && offset < before->bytes)
    return "byte " + std::to_string(offset) + " of a buffer of " + extent(*before) + " made\n" +
           before->made.text();
  if (const auto next = freed_.upper_bound(address); next != freed_.begin()) {
    const auto& [begin, freed] = *std::prev(next);
    if (address - begin < freed.bytes)
      return "byte " + std::to_string(address - begin) + " of a freed buffer of " +
             std::to_string(freed.bytes) + " bytes, made\n" + freed.made.text() + "  freed\n" +
             freed.freed.text();
  }
  if (before && offset < before->bytes + 4096)
    return std::to_string(offset - before->bytes) + " bytes behind a buffer of " + extent(*before) +
           " made\n" + before->made.text();
  return "memory that belongs to no device buffer";
}

bool Memory::freed_since(const void* pointer, uint64_t serial) const {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  const auto after = freed_.upper_bound(address);
  if (after == freed_.begin()) return false;
  const auto& [begin, freed] = *std::prev(after);
  return address - begin < freed.bytes && freed.serial > serial;
}

void Memory::open() {
  open_ = true;
  arena_protect(false);
  for (const auto& [address, buffer] : buffers)
    if (is_open(buffer)) ASAN_UNPOISON_MEMORY_REGION(buffer.begin, buffer.bytes);
  for (const Guard& guard : guards_) ASAN_UNPOISON_MEMORY_REGION(guard.begin, guard.bytes);
}

void Memory::close() {
  open_ = false;
  for (const auto& [address, buffer] : buffers)
    if (buffer.kind != MemoryKind::Pinned) ASAN_POISON_MEMORY_REGION(buffer.begin, buffer.bytes);
  for (const Guard& guard : guards_) ASAN_POISON_MEMORY_REGION(guard.begin, guard.bytes);
  arena_protect(true);
}

void Memory::guard_pinned(const OperationPtr& operation) {
  if (operation->work.kind != WorkKind::Copy) return;
  for (const Access& access : operation->work.accesses) {
    if (!access.write) continue;
    const Allocation* buffer = around(access.pointer);
    if (!buffer || buffer->kind != MemoryKind::Pinned) continue;
    guards_.push_back({operation, static_cast<const char*>(access.pointer), access.bytes});
    if (!open_) ASAN_POISON_MEMORY_REGION(access.pointer, access.bytes);
  }
}

void Memory::unguard_pinned() {
  const Clock& host = runtime().host;
  guards_.remove_if([&](const Guard& guard) {
    const auto lane = static_cast<size_t>(guard.operation->lane);
    const bool known = lane < host.size() && host[lane] >= guard.operation->time;
    if (known) ASAN_UNPOISON_MEMORY_REGION(guard.begin, guard.bytes);
    return known;
  });
  // Parts of the released ranges may be waiting for another copy.
  for (const Guard& guard : guards_) ASAN_POISON_MEMORY_REGION(guard.begin, guard.bytes);
}

bool Memory::check_access(const OperationPtr& operation, const Access& access) {
  if (access.bytes == 0) return true;
  const Work& work = operation->work;
  Allocation* const buffer = around(access.pointer);
  const char* const verb = access.write ? " writes " : " reads ";
  if (!buffer) {
    // Addresses of freed buffers come back as host memory, which copies may use.
    if (access.host && !freed_since(access.pointer, operation->serial)) return true;
    report_call(
        "invalid-memory", work.name, work.stack,
        work.name + verb + describe(access.pointer) + "\n  submitted\n" + work.stack.text());
    return false;
  }
  const size_t begin =
      static_cast<size_t>(static_cast<const char*>(access.pointer) - buffer->begin);
  const size_t end = begin + access.bytes;
  if (end > buffer->bytes) {
    report_call("out-of-bounds", work.name, work.stack,
                work.name + verb + range(begin, end) + " of a buffer of " + extent(*buffer) +
                    " made\n" + buffer->made.text() + "  submitted\n" + work.stack.text());
    return false;
  }
  if (buffer->kind != MemoryKind::Pinned && buffer->device != operation->device &&
      work.kind == WorkKind::Kernel)
    report_call("wrong-device", work.name, work.stack,
                work.name + " runs on device " + std::to_string(operation->device) + " and" + verb +
                    "a buffer of " + extent(*buffer) + " made\n" + buffer->made.text() +
                    "  submitted\n" + work.stack.text());
  note_access(operation, access, *buffer);
  return true;
}

void Memory::note_access(const OperationPtr& operation, const Access& access, Allocation& buffer) {
  const Work& work = operation->work;
  const char* const verb = access.write ? " writes " : " reads ";
  const auto begin = static_cast<size_t>(static_cast<const char*>(access.pointer) - buffer.begin);
  const size_t end = begin + access.bytes;
  bool reported = false;  // one report per access is enough
  const auto compare = [&](const Touch& earlier, const char* earlier_verb) {
    if (reported || !earlier.work || operation->comes_after(earlier.lane, earlier.time)) return;
    reported = true;
    report_call("stream-race", work.name, work.stack,
                work.name + verb + range(begin, end) + " of a buffer of " + extent(buffer) +
                    " that " + earlier.work->name + earlier_verb +
                    "on another stream, and nothing orders the two\n  " + work.name +
                    " submitted\n" + work.stack.text() + "  " + earlier.work->name +
                    " submitted\n" + earlier.work->stack.text() + "  buffer made\n" +
                    buffer.made.text());
  };
  const Touch own{operation->lane, operation->time,
                  std::shared_ptr<const Work>(operation, &operation->work)};
  // Cuts spans at both ends, so that whole ones are compared and replaced.
  const auto cut = [&](size_t at) {
    auto after = buffer.spans.upper_bound(at);
    if (after == buffer.spans.begin()) return;
    auto span = std::prev(after);
    if (span->first == at || span->second.end <= at) return;
    Span tail = span->second;
    span->second.end = at;
    buffer.spans.emplace(at, std::move(tail));
  };
  cut(begin);
  cut(end);
  auto span = buffer.spans.lower_bound(begin);
  for (auto s = span; s != buffer.spans.end() && s->first < end; ++s) {
    compare(s->second.writer, " writes ");
    if (access.write)
      for (const Touch& reader : s->second.readers) compare(reader, " reads ");
  }
  if (access.write) {
    while (span != buffer.spans.end() && span->first < end) span = buffer.spans.erase(span);
    buffer.spans[begin] = {end, own, {}};
  } else {
    // Bytes without history get spans of their own: a later write has to know the reader.
    size_t at = begin;
    while (at < end) {
      auto next = buffer.spans.lower_bound(at);
      if (next == buffer.spans.end() || next->first > at) {
        const size_t stop = next == buffer.spans.end() ? end : std::min(end, next->first);
        next = buffer.spans.emplace(at, Span{stop, {}, {}}).first;
      }
      auto& readers = next->second.readers;
      const auto same = std::find_if(readers.begin(), readers.end(),
                                     [&](const Touch& t) { return t.lane == own.lane; });
      if (same != readers.end())
        *same = own;
      else
        readers.push_back(own);
      at = next->second.end;
    }
  }
}

void Memory::mark_written(const Work& work) {
  if (work.kind == WorkKind::Allocate || work.kind == WorkKind::Free) return;
  for (const Access& access : work.accesses)
    if (const Allocation* buffer = access.write ? around(access.pointer) : nullptr;
        buffer && buffer->kind != MemoryKind::Pinned)
      checker::host_write(const_cast<void*>(access.pointer), access.bytes);
}

bool Memory::is_open(const Allocation& buffer) const {
  if (buffer.kind == MemoryKind::Pinned) return false;
  const auto graph = buffer.graph.lock();
  return !graph || graph->live;
}

GraphMemory::~GraphMemory() {
  if (begin && memory().starting_at(begin)) memory().release(begin);
}

void record_kernel_access(const void* pointer, size_t bytes, bool write) {
  const OperationPtr operation = runtime().current;
  if (operation) memory().check_access(operation, {pointer, bytes, write});
}

bool is_device_memory(const void* pointer, size_t bytes, int device) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  const Allocation* buffer = memory().around(pointer);
  return buffer && buffer->kind != MemoryKind::Pinned && buffer->device == device &&
         static_cast<const char*>(pointer) + bytes <= buffer->begin + buffer->bytes;
}

void set_memory_limit(size_t bytes) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  memory().limit = bytes;
}

std::vector<std::string> live_allocations() {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  std::vector<std::string> out;
  for (const auto& [address, buffer] : memory().buffers)
    out.push_back(extent(buffer) + " made\n" + buffer.made.text());
  return out;
}

// One finding per place that made buffers after `serial` which are still alive.
static void report_leaks_since(uint64_t since, bool pinned = true) {
  struct Group {
    int count = 0;
    uint64_t bytes = 0;
    const Allocation* first = nullptr;
  };
  std::map<std::string, Group> groups;
  for (const auto& [address, buffer] : memory().buffers) {
    if (buffer.serial <= since || buffer.freeing || buffer.kind == MemoryKind::Graph) continue;
    if (buffer.kind == MemoryKind::Pinned && !pinned) continue;
    Group& group = groups[name_of(buffer.kind) + buffer.made.text()];
    ++group.count;
    group.bytes += buffer.bytes;
    if (!group.first) group.first = &buffer;
  }
  for (const auto& [place, group] : groups)
    report_call("leak", name_of(group.first->kind), group.first->made,
                std::to_string(group.count) + " buffer(s) of together " +
                    std::to_string(group.bytes) + " bytes were never freed, made\n" +
                    group.first->made.text());
}

LeakCheck::LeakCheck() {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  serial_ = memory().serial;
}

void LeakCheck::report_leaks() const {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  for (const auto& device : rt.devices) rt.synchronize_device(device->index);
  report_leaks_since(serial_);
}

// Called after the destructors of static objects, which may own buffers, but before the exit
// handler that turns findings into the exit status. Pinned memory is kept to be used again.
[[gnu::constructor(102)]] static void register_leak_report() {
  const char* const mode = std::getenv("DITTO_EMU_LEAKS");
  if (mode && std::strcmp(mode, "report") == 0) std::atexit([] { report_leaks_since(0, false); });
}

}  // namespace ditto::emulation
