#include "apps/common/csv.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace ditto::apps;

TEST_CASE("csv: fields are quoted where a reader would split them", "[apps]") {
  CHECK(csv_line({"a", "b c", ""}) == "a,b c,\n");
  CHECK(csv_line({"a,b", "say \"hi\"", "two\nlines"}) ==
        "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\n");
  CHECK(csv_number(0.1) == "0.1");
  CHECK(csv_number(1e-20) == "1e-20");
  CHECK(csv_number(NAN).empty());
}
