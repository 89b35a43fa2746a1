// Where the bytes of emulated devices come from.
//
// Under AddressSanitizer every buffer is a heap block: overflows of kernels and uses after free are
// its findings, and memory closed to the host is poisoned by the caller. Without it, buffers lie in
// one reserved range that has no access rights while nothing runs, so that a touch of the host
// traps.
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>

#include "core/sanitizer.h"
#include "tests/cuda_emulation/cudart_memory.h"
#include "tests/cuda_emulation/report.h"
#include "tests/cuda_emulation/symbolise.h"

namespace ditto::emulation {
namespace {

constexpr size_t kAlign = 256;
// Every operation opens and closes all the memory in use: with the large pages of x86 that takes a
// five-hundredth of the changes.
constexpr size_t kPage = size_t{2} << 20;

class Arena {
 public:
  static Arena& instance() {
    static auto* const arena = new Arena;
    return *arena;
  }

  char* allocate(size_t bytes) {
    const size_t size = rounded(bytes);
    for (auto hole = holes_.begin(); hole != holes_.end(); ++hole)
      if (hole->second >= size) {
        const auto [begin, free] = *hole;
        holes_.erase(hole);
        if (free > size) holes_[begin + size] = free - size;
        return base_ + begin;
      }
    if (used_ + size > kReserved) return nullptr;
    char* const begin = base_ + used_;
    used_ += size;
    protect(false);
    return begin;
  }

  void release(char* begin, size_t bytes) {
    auto hole = holes_.emplace(static_cast<size_t>(begin - base_), rounded(bytes)).first;
    if (auto next = std::next(hole);
        next != holes_.end() && hole->first + hole->second == next->first) {
      hole->second += next->second;
      holes_.erase(next);
    }
    if (hole != holes_.begin())
      if (auto before = std::prev(hole); before->first + before->second == hole->first) {
        before->second += hole->second;
        holes_.erase(hole);
      }
  }

  void protect(bool closed) {
    const size_t bytes = (used_ + kPage - 1) / kPage * kPage;
    if (bytes > 0) mprotect(base_, bytes, closed ? PROT_NONE : PROT_READ | PROT_WRITE);
    if (closed) install();
  }

  bool contains(const void* address) const {
    return address >= base_ && address < base_ + kReserved;
  }

 private:
  static constexpr size_t kReserved = size_t{1} << 38;

  Arena() {
    void* const range = mmap(nullptr, kReserved + kPage, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) std::abort();
    base_ = static_cast<char*>(range) + kPage - reinterpret_cast<uintptr_t>(range) % kPage;
    madvise(base_, kReserved, MADV_HUGEPAGE);  // where the system has them
  }

  // Test frameworks put their own handlers in place again and again.
  void install() {
    struct sigaction current = {};
    sigaction(SIGSEGV, nullptr, &current);
    if (current.sa_flags & SA_SIGINFO && current.sa_sigaction == &handle) return;
    before_ = current;
    struct sigaction action = {};
    action.sa_sigaction = &handle;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &action, nullptr);
  }

  // The fault is at a plain load or store of the program, not inside a library with locks held, so
  // that a report may allocate. The access is then let through, for collected findings.
  static void handle(int, siginfo_t* info, void* context) {
    Arena& arena = instance();
    if (!arena.contains(info->si_addr)) {
      sigaction(SIGSEGV, &arena.before_, nullptr);  // happens again, to whom it may concern
      return;
    }
    const auto* registers = static_cast<const ucontext_t*>(context);
    const auto pc = static_cast<uintptr_t>(registers->uc_mcontext.gregs[REG_RIP]);
    const auto [file, line] = symbolise(reinterpret_cast<const void*>(pc + 1));
    report({"host-access", "host", file, line,
            "the host touches device memory: " + memory().describe(info->si_addr)});
    arena.protect(false);
  }

  // Every buffer is followed by unused bytes: an access just behind it is in no buffer.
  static size_t rounded(size_t bytes) { return (bytes + kAlign) / kAlign * kAlign; }

  char* base_ = nullptr;
  size_t used_ = 0;
  std::map<size_t, size_t> holes_;
  struct sigaction before_ = {};
};

}  // namespace

char* arena_allocate(size_t bytes) {
  if constexpr (kAddressSanitizer) {
    void* block = nullptr;
    return posix_memalign(&block, kAlign, bytes) == 0 ? static_cast<char*>(block) : nullptr;
  } else {
    return Arena::instance().allocate(bytes);
  }
}

void arena_release(char* begin, [[maybe_unused]] size_t bytes) {
  if constexpr (kAddressSanitizer)
    std::free(begin);
  else
    Arena::instance().release(begin, bytes);
}

void arena_protect(bool closed) {
  if constexpr (!kAddressSanitizer) Arena::instance().protect(closed);
}

}  // namespace ditto::emulation
