// Table: rows of text cells with a header, printed in aligned columns on a terminal; the report
// renders the same table as HTML.
#pragma once

#include <string>
#include <vector>

namespace ditto::apps {

struct Table {
  struct Column {
    std::string heading;
    bool number = false;  // right-aligned
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // every row as long as columns
  // Cells to emphasise, as (row, column): the best of a column.
  std::vector<std::pair<int, int>> best;

  // Throws Error when the row has not one cell for each column.
  void add_row(std::vector<std::string> cells);
  bool is_best(int row, int column) const;
};

// Header, rule and rows, each line ended by a newline and without trailing blanks. A star marks the
// best cells.
std::string render_text(const Table& table);

}  // namespace ditto::apps
