// Comma-separated values as RFC 4180 has them, which spreadsheets and pandas read.
#pragma once

#include <string>
#include <vector>

namespace ditto::apps {

// One line with its end (CR LF is the RFC's; LF is what every reader takes). Fields with a comma, a
// quote or a line end are quoted.
std::string csv_line(const std::vector<std::string>& fields);

// The shortest text that reads back as the same number; "" when there is none (NaN).
std::string csv_number(double value);

}  // namespace ditto::apps
