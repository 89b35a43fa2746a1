#include "apps/common/table.h"

#include <algorithm>

#include "apps/common/text.h"
#include "core/error.h"

namespace ditto::apps {

void Table::add_row(std::vector<std::string> cells) {
  check(cells.size() == columns.size(), "[table] a row of", cells.size(), "cells for",
        columns.size(), "columns");
  rows.push_back(std::move(cells));
}

bool Table::is_best(int row, int column) const {
  return std::find(best.begin(), best.end(), std::pair(row, column)) != best.end();
}

std::string render_text(const Table& table) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Table::Column& column : table.columns) lines[0].push_back(column.heading);
  for (size_t r = 0; r < table.rows.size(); ++r) {
    lines.push_back(table.rows[r]);
    for (size_t c = 0; c < table.columns.size(); ++c) {
      std::string& cell = lines.back()[c];
      std::replace(cell.begin(), cell.end(), '\n', ' ');
    }
  }
  // A star column exists only where something is starred, so that numbers stay aligned.
  std::vector<bool> starred(table.columns.size(), false);
  for (const auto& [row, column] : table.best) {
    (void)row;
    starred.at(static_cast<size_t>(column)) = true;
  }
  for (size_t r = 0; r < lines.size(); ++r)
    for (size_t c = 0; c < starred.size(); ++c)
      if (starred[c])
        lines[r][c] +=
            r > 0 && table.is_best(static_cast<int>(r) - 1, static_cast<int>(c)) ? " *" : "  ";

  std::vector<int> widths(table.columns.size(), 0);
  for (const auto& line : lines)
    for (size_t c = 0; c < widths.size(); ++c)
      widths[c] = std::max(widths[c], display_width(line[c]));

  std::string out;
  const auto finish_line = [&out] {
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += '\n';
  };
  for (size_t r = 0; r < lines.size(); ++r) {
    for (size_t c = 0; c < widths.size(); ++c) {
      const std::string gap(static_cast<size_t>(widths[c] - display_width(lines[r][c])), ' ');
      if (c > 0) out += "  ";
      out += table.columns[c].number ? gap + lines[r][c] : lines[r][c] + gap;
    }
    finish_line();
    if (r > 0) continue;
    for (size_t c = 0; c < widths.size(); ++c)
      out += (c > 0 ? "  " : "") + std::string(static_cast<size_t>(widths[c]), '-');
    finish_line();
  }
  return out;
}

}  // namespace ditto::apps
