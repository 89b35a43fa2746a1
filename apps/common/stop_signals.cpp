#include "apps/common/stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace ditto::apps {
namespace {

// Another thread than the handler's reads it.
std::atomic<int> arrived{0};
static_assert(std::atomic<int>::is_always_lock_free);  // as a signal handler needs
struct sigaction before_term, before_int, before_size;

extern "C" void note_signal(int number) {
  if (arrived != 0) _exit(128 + number);
  arrived = number;
}

}  // namespace

StopSignals::StopSignals() {
  arrived = 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;  // system calls in progress know nothing of it
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, &before_term);
  sigaction(SIGINT, &action, &before_int);
  action.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &action, &before_size);
}

StopSignals::~StopSignals() {
  sigaction(SIGTERM, &before_term, nullptr);
  sigaction(SIGINT, &before_int, nullptr);
  sigaction(SIGXFSZ, &before_size, nullptr);
}

bool StopSignals::requested() { return arrived != 0; }

const char* StopSignals::name() {
  return arrived == SIGTERM ? "SIGTERM" : arrived == SIGINT ? "SIGINT" : "";
}

}  // namespace ditto::apps
