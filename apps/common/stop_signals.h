// StopSignals: SIGTERM and SIGINT as a wish that the work asks for between two steps.
#pragma once

namespace ditto::apps {

// While an object lives, the first SIGTERM or SIGINT is only noted; the second ends the process at
// once with the shell's code for it (143 or 130). SIGXFSZ is ignored, so that a limit on the size
// of files (ulimit -f) is an error of the write and not the end. One object at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Has one of them arrived?
  static bool requested();
  // "SIGTERM", "SIGINT"; "" when none has arrived.
  static const char* name();
};

}  // namespace ditto::apps
