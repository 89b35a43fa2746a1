// Runs a piece of a test in a process of its own: for mistakes that end the process.
#pragma once

#include <functional>
#include <string>

namespace ditto::emulation {

// What `body` writes to stderr; the child leaves without exit handlers.
std::string output_of_child(const std::function<void()>& body);

}  // namespace ditto::emulation
