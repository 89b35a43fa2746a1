// Which operation this thread runs, for messages that must name one, such as "out of memory in
// conv2d".
#pragma once

namespace ditto {

namespace detail {
inline thread_local const char* current_op = nullptr;
}

// The name of the innermost CurrentOp of this thread, or null.
inline const char* current_op() { return detail::current_op; }

// Names the operation while it lives. `name` must outlive it (a literal).
class CurrentOp {
 public:
  explicit CurrentOp(const char* name) : previous_(detail::current_op) {
    detail::current_op = name;
  }
  ~CurrentOp() { detail::current_op = previous_; }
  CurrentOp(const CurrentOp&) = delete;
  CurrentOp& operator=(const CurrentOp&) = delete;

 private:
  const char* previous_;
};

}  // namespace ditto
