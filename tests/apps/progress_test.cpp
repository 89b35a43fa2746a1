#include "apps/common/progress.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <limits>
#include <sstream>
#include <vector>

#include "apps/common/text.h"
#include "core/error.h"
#include "tests/support/catch.h"

using namespace ditto::apps;
using ditto::testing::contains;

namespace {

// A terminal or file whose clock, width and memory are in the test's hands.
struct Screen {
  std::ostringstream out;
  double now = 100;
  int columns = 200;

  ProgressOptions options(bool live, bool colour = false) {
    ProgressOptions options;
    options.out = &out;
    options.live = live;
    options.colour = colour;
    options.clock = [this] { return now; };
    options.width = [this] { return columns; };
    options.memory = [] { return int64_t{412'000'000}; };
    return options;
  }
  // What was written since the last call.
  std::string take() {
    std::string text = out.str();
    out.str("");
    return text;
  }
};

ProgressUpdate training(int64_t step, int64_t images) {
  return {.run = "t-cce",
          .epoch = 2,
          .epochs = 3,
          .step = step,
          .steps = 469,
          .images = images,
          .loss = 0.43214,
          .accuracy = 0.851,
          .learning_rate = 0.0923};
}

// Plays the terminal: what a person sees in the end, escapes for colour removed.
std::string seen(const std::string& written) {
  std::string line, all;
  for (size_t i = 0; i < written.size(); ++i) {
    if (written[i] == '\r') {
      // Everything we write after \r starts by erasing the line.
      REQUIRE(written.compare(i, 4, "\r\x1b[K") == 0);
      line.clear();
      i += 3;
    } else if (written[i] == '\x1b') {
      i = written.find('m', i);
      REQUIRE(i != std::string::npos);
    } else if (written[i] == '\n') {
      all += line + '\n';
      line.clear();
    } else {
      line += written[i];
    }
  }
  return all + line;
}

}  // namespace

TEST_CASE("on a terminal one line changes in place", "[apps]") {
  Screen screen;
  {
    Progress progress({1000, 100}, screen.options(true));
    screen.now += 1;
    progress.update(training(1, 100));
    CHECK(seen(screen.take()) ==
          "t-cce  epoch 2/3  step   1/469     100 img/s  loss 0.4321  acc 85.10 %  lr 0.0923  "
          "mem 412 MB  ETA 9 s");
    screen.now += 0.05;
    progress.update(training(2, 100));
    CHECK(screen.take().empty());  // not every step is worth a redraw
    screen.now += 0.06;
    progress.update(training(3, 100));
    CHECK_THAT(seen(screen.take()), contains("step   3/469"));
    progress.print("epoch 1: fine");
    const std::string text = seen(screen.take());
    CHECK(text.rfind("epoch 1: fine\nt-cce", 0) == 0);  // the live line is below it again
    progress.pause();
    CHECK(seen(screen.take()).empty());
    progress.print("done");
    CHECK(screen.take() == "done\n");
    screen.now += 1;
    progress.update(training(4, 100));
    screen.take();
  }
  CHECK(screen.take() == "\r\x1b[K");  // nothing stays behind
}

TEST_CASE("the live line fits the terminal, most important parts first", "[apps]") {
  Screen screen;
  Progress progress({1000, 0}, screen.options(true));
  for (int columns : {200, 120, 100, 80, 60, 40, 20, 12, 3}) {
    screen.columns = columns;
    screen.now += 1;
    progress.update(training(7, 1));
    const std::string line = seen(screen.take());
    CAPTURE(columns, line);
    CHECK(display_width(line) < std::max(columns, 12));
    CHECK_FALSE(line.empty());
    if (columns >= 40) CHECK_THAT(line, contains("loss 0.4321") && contains("ETA"));
    if (columns >= 60) CHECK_THAT(line, contains("step   7/469"));
  }
}

TEST_CASE("colours are escapes around the same text, and only where asked for", "[apps]") {
  Screen plain, coloured;
  Progress a({1000, 0}, plain.options(true)), b({1000, 0}, coloured.options(true, true));
  plain.now += 1;
  coloured.now += 1;
  a.update(training(1, 10));
  b.update(training(1, 10));
  const std::string without = plain.take(), with = coloured.take();
  CHECK(without.find("\x1b[", 4) == std::string::npos);
  CHECK(with.find("\x1b[2mloss\x1b[0m 0.4321") != std::string::npos);
  CHECK(seen(with) == seen(without));
}

TEST_CASE("elsewhere plain lines come every few seconds, free of control characters", "[apps]") {
  Screen screen;
  {
    Progress progress({100000, 0}, screen.options(false));
    for (int step = 1; step <= 100; ++step) {
      screen.now += 0.25;
      progress.update(training(step, 100));
    }
    progress.print("epoch 1: fine");
    progress.pause();
  }
  const std::string text = screen.take();
  for (char c : text) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
  const std::vector<std::string> lines = split(text, '\n');
  REQUIRE(lines.size() == 4);  // after 10 s, 20 s, the printed one, and nothing after the last \n
  CHECK(lines[0] ==
        "[10 s] t-cce  epoch 2/3  step  40/469     400 img/s  loss 0.4321  acc 85.10 %  lr 0.0923"
        "  mem 412 MB  ETA 4:00");
  CHECK_THAT(lines[1], contains("[20 s]") && contains("step  80/469"));
  CHECK(lines[2] == "epoch 1: fine");
  CHECK(lines[3].empty());
}

TEST_CASE("the time left covers all epochs and evaluations", "[apps]") {
  // Three epochs of 1000 training images at 100/s and 500 test images at 250/s: 12 s each.
  Screen screen;
  Progress progress({3000, 1500}, screen.options(false));
  CHECK_FALSE(progress.seconds_left());
  double left = 36;
  for (int epoch = 1; epoch <= 3; ++epoch) {
    for (int step = 1; step <= 10; ++step) {
      screen.now += 1;
      left -= 1;
      progress.update({.epoch = epoch, .epochs = 3, .step = step, .steps = 10, .images = 100});
      REQUIRE(progress.seconds_left());
      if (epoch == 1) {
        // No evaluation was seen yet: a third of training's cost is assumed, 300/s.
        CHECK(*progress.seconds_left() == Approx(left - 6 + 5));
      } else {
        CHECK(*progress.seconds_left() == Approx(left));
      }
    }
    for (int step = 1; step <= 2; ++step) {
      screen.now += 1;
      left -= 1;
      progress.update({.evaluating = true, .step = step, .steps = 2, .images = 250});
      CHECK(*progress.seconds_left() == Approx(left).margin(1e-9));
    }
  }
  CHECK(*progress.seconds_left() == 0);
  CHECK(*progress.images_per_second() == Approx(100));
}

TEST_CASE("the speed follows a change, and pauses are not work", "[apps]") {
  Screen screen;
  Progress progress({1'000'000, 0}, screen.options(false));
  for (int step = 0; step < 100; ++step) {
    screen.now += 1;
    progress.update({.images = 100});
  }
  CHECK(*progress.images_per_second() == Approx(100));
  screen.now += 1000;  // a report is written, say
  progress.pause();
  screen.now += 1;
  progress.update({.images = 100});
  CHECK(*progress.images_per_second() == Approx(100));
  for (int step = 0; step < 150; ++step) {
    screen.now += 1;
    progress.update({.images = 50});
  }
  CHECK(*progress.images_per_second() == Approx(50).epsilon(0.02));
  progress.set_plan({500, 0});
  CHECK(*progress.seconds_left() == Approx(10).epsilon(0.02));
  // More images than planned: nothing is left, not less than nothing.
  screen.now += 1;
  progress.update({.images = 10000});
  CHECK(*progress.seconds_left() == 0);
}

namespace {

struct Mode {
  bool live, colour;
  int width;
};

// standard_output() as decided with the given environment, standard output being `fd` meanwhile.
Mode mode_on(int fd, const char* term, const char* no_color) {
  ::fflush(stdout);
  const int saved = ::dup(STDOUT_FILENO);
  ::dup2(fd, STDOUT_FILENO);
  ::setenv("TERM", term, 1);
  ::setenv("NO_COLOR", no_color, 1);
  const ProgressOptions options = ProgressOptions::standard_output();
  const Mode mode{options.live, options.colour, options.width()};
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  return mode;
}

}  // namespace

TEST_CASE("standard output: live on a terminal, and colour unless NO_COLOR is set", "[apps]") {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0) DITTO_SKIP("no pseudo-terminals here");
  winsize size{};
  size.ws_col = 93;
  const bool resized = ::ioctl(terminal, TIOCSWINSZ, &size) == 0;
  const std::string term = ::getenv("TERM") ? ::getenv("TERM") : "";
  const Mode colour = mode_on(terminal, "xterm", ""), plain = mode_on(terminal, "xterm", "1"),
             dumb = mode_on(terminal, "dumb", "");
  const int file = ::open("/dev/null", O_WRONLY);
  const Mode redirected = mode_on(file, "xterm", "");
  ::setenv("TERM", term.c_str(), 1);
  ::unsetenv("NO_COLOR");
  ::close(file);
  ::close(terminal);
  REQUIRE(resized);
  CHECK(colour.live);
  CHECK(colour.colour);
  CHECK(colour.width == 93);
  CHECK(plain.live);
  CHECK_FALSE(plain.colour);
  CHECK_FALSE(dumb.live);
  CHECK_FALSE(redirected.live);
  CHECK_FALSE(redirected.colour);
}

TEST_CASE("what is not known is not shown; a NaN loss is", "[apps]") {
  Screen screen;
  Progress progress({1000, 0}, screen.options(true));
  screen.now += 1;
  progress.update({});
  CHECK(seen(screen.take()) == "mem 412 MB  ETA --");
  screen.now += 1;
  ProgressUpdate update = training(1, 10);
  update.loss = std::numeric_limits<double>::quiet_NaN();
  progress.update(update);
  CHECK_THAT(seen(screen.take()), contains("loss nan"));
  CHECK_THROWS_AS(Progress({1, 1}, ProgressOptions{}), ditto::Error);
}
