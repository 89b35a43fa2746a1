#include "tests/support/paths.h"

namespace ditto::testing {

std::string source_path(const std::string& relative) {
  return std::string(DITTO_SOURCE_DIR) + "/" + relative;
}
std::string build_path(const std::string& relative) {
  return std::string(DITTO_BINARY_DIR) + "/" + relative;
}

}  // namespace ditto::testing
