// A stack of its own that code can leave in the middle and come back to. Switching is twelve
// instructions, about 50 ns with its bookkeeping; Boost.Context does the same, but would be a
// dependency for these twelve, and has no annotations for AddressSanitizer in Debian's build.
#pragma once

#include <cstddef>

namespace ditto::emulation {

class Fiber {
 public:
  Fiber() = default;                // the stack that the program came with
  explicit Fiber(void (*entry)());  // entry() must never return
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Leaves this fiber, which must be the running one, and goes on in `next`.
  void switch_to(Fiber& next);

  // The next switch to this fiber calls entry() afresh; what stood on the stack is forgotten.
  void restart();

  // Whether the address lies on this fiber's stack.
  bool holds(const void* address) const { return address >= stack_ && address < stack_ + size_; }

 private:
  static void enter();

  void (*entry_)() = nullptr;
  void* stack_pointer_ = nullptr;
  char* stack_ = nullptr;  // above a guard page; of the program's own stack only ASan knows it
  size_t size_ = 0;
  void* fake_stack_ = nullptr;  // ASan's
};

}  // namespace ditto::emulation
