#include "core/current_op.h"

namespace ditto {
namespace {

thread_local const char* current = nullptr;

}  // namespace

const char* current_op() { return current; }

CurrentOp::CurrentOp(const char* name) : previous_(current) { current = name; }
CurrentOp::~CurrentOp() { current = previous_; }

}  // namespace ditto
