// What the emulation has found wrong. Every finding is printed to stderr at once and kept in a list
// that a test may take; a program that ends with findings nobody took ends with status 66, so that
// no test passes over a broken kernel.
#pragma once

#include <string>
#include <vector>

namespace ditto::emulation {

struct Report {
  std::string kind;    // "race", "barrier-divergence", ...: docs/cuda_emulation.md lists them
  std::string kernel;  // name given to launch(), or the name of the API call
  std::string file;    // where in the source; empty if unknown
  int line = 0;
  std::string text;  // whole message: block, thread, addresses, the other party
};

void report(Report found);

// The findings since the last call, in order.
std::vector<Report> take_reports();

}  // namespace ditto::emulation
