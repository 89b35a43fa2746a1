// Fails while a differentiable op of the library has no conformance row: the ops are read from the
// vtables in the linked archives, the rows' ops from the graphs that they record.
#include <cxxabi.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>

#include "autograd/function.h"
#include "tests/conformance/row.h"
#include "tests/support/catch.h"
#include "tests/support/paths.h"

namespace ditto::testing {
namespace {

std::string class_name(const Function& node) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(typeid(node).name(), nullptr, nullptr, &status), std::free);
  return text ? text.get() : typeid(node).name();
}

void collect(const Tensor& y, std::set<std::string>& names) {
  std::vector<const Function*> pending;
  if (y.autograd() && y.autograd()->node) pending.push_back(y.autograd()->node.get());
  while (!pending.empty()) {
    const Function* node = pending.back();
    pending.pop_back();
    names.insert(class_name(*node));
    for (const auto& edge : node->edges())
      if (edge && edge->node) pending.push_back(edge->node.get());
  }
}

// Classes with a vtable in the archive whose name says that they are autograd nodes.
std::set<std::string> nodes_in(const std::string& archive) {
  std::set<std::string> names;
  FILE* pipe = popen(("nm -C --defined-only '" + archive + "' 2>/dev/null").c_str(), "r");
  REQUIRE(pipe);
  char line[4096];
  const std::string marker = "vtable for ditto::";
  while (std::fgets(line, sizeof line, pipe)) {
    const std::string text = line;
    const auto at = text.find(marker);
    if (at == std::string::npos) continue;
    std::string name = text.substr(at + std::string("vtable for ").size());
    name.erase(name.find_last_not_of("\r\n") + 1);
    const bool node = name.find("ditto::Unary<") == 0 || name.find("ditto::Binary<") == 0 ||
                      (name.size() > 8 && name.compare(name.size() - 8, 8, "Function") == 0 &&
                       name != "ditto::Function");
    if (node) names.insert(name);
  }
  REQUIRE(pclose(pipe) == 0);
  return names;
}

}  // namespace

TEST_CASE("completeness: every differentiable op has a conformance row", "[conformance]") {
  std::set<std::string> covered;
  for (const Row& row : all_rows()) collect(row.f(make_inputs(row, Dtype::F64)), covered);
  std::set<std::string> existing;
  for (const char* library : {"autograd", "nn", "losses", "models"})
    existing.merge(nodes_in(build_path("libditto_" + std::string(library) + ".a")));
  CHECK(existing.size() >= 25);  // an empty list must not pass
  for (const std::string& name : existing) {
    INFO("no row in tests/conformance/rows_*.cpp records " << name);
    CHECK(covered.count(name) == 1);
  }
}

}  // namespace ditto::testing
