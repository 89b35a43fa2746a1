#include "tests/cuda_emulation/fiber.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

#include "core/sanitizer.h"

#if !defined(__x86_64__)
#error "the emulation of CUDA switches stacks by x86-64 instructions"
#endif

extern "C" {
// Pushes what the calling convention preserves, stores the stack pointer, and continues on the
// other stack with what was pushed there.
void ditto_emulation_switch(void** save, void* load);

// AddressSanitizer must know which stack is in use.
void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** old_bottom, size_t* old_size);
void __asan_unpoison_memory_region(const volatile void* begin, size_t size);
}

asm(R"(
.text
.type ditto_emulation_switch,@function
.globl ditto_emulation_switch
ditto_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ditto_emulation_switch,.-ditto_emulation_switch
)");

namespace ditto::emulation {
namespace {

constexpr size_t kPage = 4096;
// ASan enlarges the frames, and prints its reports on the stack at hand.
constexpr size_t kStackBytes = kAddressSanitizer ? 256 * 1024 : 64 * 1024;

// The two parties of the switch under way.
thread_local Fiber* switch_from = nullptr;
thread_local Fiber* switch_into = nullptr;

}  // namespace

Fiber::Fiber(void (*entry)()) : entry_(entry), size_(kStackBytes) {
  void* memory = mmap(nullptr, kStackBytes + kPage, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, kPage, PROT_NONE);
  stack_ = static_cast<char*>(memory) + kPage;
  restart();
}

Fiber::~Fiber() {
  if (entry_) munmap(stack_ - kPage, size_ + kPage);
}

void Fiber::restart() {
  if constexpr (kAddressSanitizer) __asan_unpoison_memory_region(stack_, size_);
  fake_stack_ = nullptr;
  // As ditto_emulation_switch would have left it: six registers, the place to return to, and a null
  // return address there, where stack traces end. At a function's entry rsp is 8 below a multiple
  // of 16.
  auto* top = reinterpret_cast<void**>(stack_ + size_ - 16);
  top[-1] = nullptr;
  top[-2] = reinterpret_cast<void*>(&Fiber::enter);
  for (int i = 3; i <= 8; ++i) top[-i] = nullptr;
  stack_pointer_ = top - 8;
}

void Fiber::switch_to(Fiber& next) {
  switch_from = this;
  switch_into = &next;
  if constexpr (kAddressSanitizer)
    __sanitizer_start_switch_fiber(&fake_stack_, next.stack_, next.size_);
  ditto_emulation_switch(&stack_pointer_, next.stack_pointer_);
  // Somebody came back to this fiber.
  if constexpr (kAddressSanitizer) {
    const void* bottom = nullptr;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &size);
  }
}

void Fiber::enter() {
  Fiber& from = *switch_from;
  if constexpr (kAddressSanitizer) {
    const void* bottom = nullptr;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(nullptr, &bottom, &size);
    if (!from.entry_) {  // now the bounds of the program's own stack are known
      from.stack_ = const_cast<char*>(static_cast<const char*>(bottom));
      from.size_ = size;
    }
  }
  switch_into->entry_();
  std::abort();
}

}  // namespace ditto::emulation
