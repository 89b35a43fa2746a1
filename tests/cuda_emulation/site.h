// Place in the source of a kernel: taken by default arguments, so that every report of the
// emulation names the file and line of the call.
#pragma once

namespace ditto::emulation {

struct Site {
  const char* file;
  int line;
  constexpr Site(const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : file(file), line(line) {}
};

inline bool operator==(const Site& a, const Site& b) {
  return a.line == b.line && (a.file == b.file || __builtin_strcmp(a.file, b.file) == 0);
}

}  // namespace ditto::emulation
