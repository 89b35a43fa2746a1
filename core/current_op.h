// Which operation this thread runs, for messages that must name one, such as "out of memory in
// conv2d".
#pragma once

namespace ditto {

// The name of the innermost CurrentOp of this thread, or null.
const char* current_op();

// Names the operation while it lives. `name` must outlive it (a literal).
// Out of line on purpose: inlined, g++ 12 at -O2 drops the destructor's store where an exception
// passes (tests/autograd/errors_test.cpp), and a failed op would stay the current one.
class CurrentOp {
 public:
  explicit CurrentOp(const char* name);
  ~CurrentOp();
  CurrentOp(const CurrentOp&) = delete;
  CurrentOp& operator=(const CurrentOp&) = delete;

 private:
  const char* previous_;
};

}  // namespace ditto
