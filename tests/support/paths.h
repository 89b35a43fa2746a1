// Where this build's sources and libraries are. One file alone depends on the answer, so that a
// compiler cache serves the other tests to every checkout.
#pragma once

#include <string>

namespace ditto::testing {

std::string source_path(const std::string& relative);  // "tests/reference/x.json"
std::string build_path(const std::string& relative);   // "libditto_core.a"

}  // namespace ditto::testing
