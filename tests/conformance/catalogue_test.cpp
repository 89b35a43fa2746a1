// docs/losses.md, the names of the command line and the conformance suite list the same losses.
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "losses/losses.h"
#include "losses/pair_losses.h"
#include "tests/conformance/row.h"
#include "tests/support/catch.h"
#include "tests/support/paths.h"

namespace ditto::testing {
namespace {

using Names = std::set<std::string>;

// The texts between backticks.
Names in_backticks(const std::string& text) {
  Names names;
  for (size_t at = text.find('`'); at != std::string::npos; at = text.find('`', at)) {
    const size_t end = text.find('`', at + 1);
    REQUIRE(end != std::string::npos);
    names.insert(text.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return names;
}

struct Table {
  Names functions, names;
  std::map<std::string, std::string> options;  // of each name
};

// Section heading -> first, second and fifth column of its table.
std::map<std::string, Table> documented() {
  std::ifstream file(source_path("docs/losses.md"));
  REQUIRE(file.good());
  std::map<std::string, Table> tables;
  std::string line, section;
  while (std::getline(file, line)) {
    if (line.rfind("## ", 0) == 0) section = line.substr(3);
    if (line.rfind("| `", 0) != 0) continue;
    std::vector<std::string> cells;
    for (size_t at = 0, end; (end = line.find('|', at + 1)) != std::string::npos; at = end)
      cells.push_back(line.substr(at + 1, end - at - 1));
    REQUIRE(cells.size() == 6);
    tables[section].functions.merge(in_backticks(cells[0]));
    for (const std::string& name : in_backticks(cells[1])) tables[section].options[name] = cells[4];
    tables[section].names.merge(in_backticks(cells[1]));
  }
  return tables;
}

Names first_words(const std::vector<Row>& rows) {
  Names words;
  for (const Row& row : rows) words.insert(row.name.substr(0, row.name.find(' ')));
  return words;
}

}  // namespace

TEST_CASE("catalogue: docs/losses.md names the losses of the command line", "[conformance]") {
  Names plain;
  for (const std::string& name : losses::loss_names())
    if (!losses::uses_groups(name)) plain.insert(name);
  CHECK(documented()["Classification"].names == plain);
  for (const std::string& name : plain) CHECK(losses::uses_groups("t-" + name));
  Names pairs = {"clce", "ce-supcon"};  // with cross-entropy: apps, whose test names them as well
  for (const std::string& name : losses::pair_loss_names()) pairs.insert(name);
  CHECK(documented()["Pairs of embeddings"].names == pairs);
}

TEST_CASE("catalogue: docs/losses.md gives the options of the command line and their defaults",
          "[conformance]") {
  const auto check_options = [](const std::string& name, const std::string& documented,
                                const std::vector<losses::LossOption>& options) {
    for (const losses::LossOption& option : options) {
      if (option.name == "scale" && option.value == 1) continue;  // of all pair losses
      std::ostringstream value;
      value << option.value;
      INFO(name << ": " << option.name << " (" << value.str() << "), documented: " << documented);
      CHECK(documented.find(option.name) != std::string::npos);
      CHECK(documented.find(value.str()) != std::string::npos);
    }
  };
  const auto tables = documented();
  for (const auto& [name, text] : tables.at("Classification").options)
    check_options(name, text, losses::loss_options(name));
  for (const std::string& name : losses::pair_loss_names())
    check_options(name, tables.at("Pairs of embeddings").options.at(name),
                  losses::pair_loss_options(name));
}

TEST_CASE(
    "catalogue: every documented loss has a conformance row, and every row of a loss is "
    "documented",
    "[conformance]") {
  Names functions;
  for (const auto& [section, table] : documented())
    functions.insert(table.functions.begin(), table.functions.end());
  CHECK(functions.size() >= 45);
  const Names rows = first_words(all_rows());
  for (const std::string& function : functions) {
    INFO(function << " of docs/losses.md has no row in tests/conformance/rows_*.cpp");
    CHECK(rows.count(function) == 1);
  }
  std::vector<Row> losses = classification_rows(), pairs = pair_loss_rows();
  losses.insert(losses.end(), pairs.begin(), pairs.end());
  for (const std::string& row : first_words(losses)) {
    // "by name cce": the names are compared above. l2_normalize is an op.
    if (row == "by" || row == "l2_normalize") continue;
    INFO("row " << row << " is not in docs/losses.md");
    CHECK(functions.count(row) == 1);
  }
}

}  // namespace ditto::testing
