#include "core/graph_capture.h"

#include <string>

#include "core/current_op.h"
#include "core/error.h"

namespace ditto {

const int64_t* GraphCapture::number(std::function<int64_t()> next) {
  const size_t index = numbers_.size();
  check(index < kMostNumbers, "[cuda graph] more than", kMostNumbers, "numbers change per step");
  numbers_.push_back(0);
  actions_.push_back([this, index, next = std::move(next)] { numbers_[index] = next(); });
  return table_ + index;
}

void refuse_capture(const char* work, const char* why) {
  if (!current_capture()) [[likely]]
    return;
  const char* op = current_op();
  fail("[cuda graph] " + std::string(work) + (op ? std::string(" in ") + op : "") +
       " cannot be captured: " + why);
}

}  // namespace ditto
