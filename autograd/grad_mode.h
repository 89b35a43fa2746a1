// Whether operations are recorded, per thread.
#pragma once

namespace ditto {

bool grad_enabled();
void set_grad_enabled(bool on);

// While alive, operations on this thread are not recorded.
class NoGrad {
 public:
  NoGrad() : previous_(grad_enabled()) { set_grad_enabled(false); }
  ~NoGrad() { set_grad_enabled(previous_); }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

}  // namespace ditto
