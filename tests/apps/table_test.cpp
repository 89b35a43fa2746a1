#include "apps/common/table.h"

#include "core/error.h"
#include "tests/support/catch.h"

using namespace ditto::apps;

TEST_CASE("a table aligns columns, numbers to the right", "[apps]") {
  Table table;
  table.columns = {{"run"}, {"error", true}, {"note"}};
  table.add_row({"cce", "10.5 %", "first"});
  table.add_row({"T(CCE) ρ=1", "9.25 %", ""});
  CHECK(render_text(table) ==
        "run          error  note\n"
        "----------  ------  -----\n"
        "cce         10.5 %  first\n"
        "T(CCE) ρ=1  9.25 %\n");
  table.best = {{1, 1}};
  CHECK(render_text(table) ==
        "run          error    note\n"
        "----------  --------  -----\n"
        "cce         10.5 %    first\n"
        "T(CCE) ρ=1  9.25 % *\n");
}

TEST_CASE("a table refuses rows of the wrong length and survives emptiness", "[apps]") {
  Table table;
  table.columns = {{"a"}, {"b"}};
  CHECK_THROWS_AS(table.add_row({"1"}), ditto::Error);
  CHECK(render_text(table) == "a  b\n-  -\n");
  table.add_row({"line\nbreak", "x"});
  CHECK(render_text(table) == "a           b\n----------  -\nline break  x\n");
}
