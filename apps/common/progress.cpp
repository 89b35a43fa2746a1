#include "apps/common/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "apps/common/environment.h"
#include "apps/common/text.h"
#include "core/error.h"

namespace ditto::apps {
namespace {

constexpr double kMemorySeconds = 30;  // time constant of the speeds
constexpr double kEvalCostOfTrain = 1.0 / 3;

int terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int width = columns ? std::atoi(columns) : 0;
  return width > 0 ? width : 80;
}

// One piece of the line: "loss 0.4321". Pieces with the highest rank are dropped first when the
// terminal is too narrow.
struct Piece {
  std::string label, value;
  int rank;
};

// As wide as the largest value it will have, so that the line does not jitter.
std::string counter(int64_t value, int64_t total) {
  const std::string all = fmt::format("{}", total);
  return fmt::format("{:>{}}/{}", value, all.size(), all);
}

}  // namespace

ProgressOptions ProgressOptions::standard_output() {
  const auto variable = [](const char* name) -> std::string_view {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  ProgressOptions options;
  options.out = &std::cout;
  options.live = ::isatty(STDOUT_FILENO) == 1 && variable("TERM") != "dumb";
  options.colour = options.live && variable("NO_COLOR").empty();
  options.clock = [] {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
  };
  options.width = terminal_width;
  options.memory = resident_bytes;
  return options;
}

void Progress::Speed::add(double new_images, double elapsed) {
  const double keep = std::exp(-elapsed / kMemorySeconds);
  images = images * keep + new_images;
  seconds = seconds * keep + elapsed;
}

std::optional<double> Progress::Speed::rate() const {
  if (images <= 0 || seconds <= 0) return std::nullopt;
  return images / seconds;
}

Progress::Progress(ProgressPlan plan, ProgressOptions options)
    : options_(std::move(options)), left_(plan) {
  check(options_.out && options_.clock && options_.width && options_.memory,
        "[progress] out, clock, width and memory must be set");
  start_ = last_update_ = last_shown_ = options_.clock();
}

Progress::~Progress() { erase(); }

std::optional<double> Progress::seconds_left() const {
  const std::optional<double> train = train_.rate();
  if (!train) return std::nullopt;
  const double eval = eval_.rate().value_or(*train / kEvalCostOfTrain);
  return static_cast<double>(left_.train_images) / *train +
         static_cast<double>(left_.eval_images) / eval;
}

void Progress::update(const ProgressUpdate& update) {
  const double now = options_.clock();
  (update.evaluating ? eval_ : train_).add(static_cast<double>(update.images), now - last_update_);
  int64_t& left = update.evaluating ? left_.eval_images : left_.train_images;
  left = std::max<int64_t>(left - update.images, 0);
  last_update_ = now;
  last_ = update;
  run_ = update.run;
  last_.run = run_;
  if (now - last_shown_ < (options_.live ? options_.live_interval : options_.plain_interval))
    return;
  last_shown_ = now;
  if (options_.live) {
    draw();
  } else {
    *options_.out << fmt::format("[{}] {}\n", duration_text(now - start_), line(10000, false))
                  << std::flush;
  }
}

void Progress::print(std::string_view line) {
  const bool redraw = on_screen_;
  erase();
  *options_.out << line << '\n';
  if (redraw) draw();
  options_.out->flush();
}

void Progress::pause() {
  erase();
  last_update_ = options_.clock();
}

void Progress::erase() {
  if (on_screen_) *options_.out << "\r\x1b[K" << std::flush;
  on_screen_ = false;
}

void Progress::draw() {
  // The last column stays free: writing there makes some terminals wrap.
  const int width = std::max(options_.width() - 1, 10);
  *options_.out << "\r\x1b[K" << line(width, options_.colour) << std::flush;
  on_screen_ = true;
}

std::string Progress::line(int width, bool colour) const {
  std::vector<Piece> pieces;
  if (!last_.run.empty()) pieces.push_back({"", std::string(last_.run), 4});
  if (last_.epochs > 0) pieces.push_back({"epoch", counter(last_.epoch, last_.epochs), 2});
  if (last_.steps > 0)
    pieces.push_back({last_.evaluating ? "eval" : "step", counter(last_.step, last_.steps), 1});
  if (const auto rate = (last_.evaluating ? eval_ : train_).rate())
    pieces.push_back({"", fmt::format("{:>6} img/s", count_text(*rate)), 5});
  if (last_.loss) pieces.push_back({"loss", fmt::format("{:.4f}", *last_.loss), 0});
  if (last_.accuracy) pieces.push_back({"acc", fmt::format("{:5.2f} %", 100 * *last_.accuracy), 3});
  if (last_.learning_rate)
    pieces.push_back({"lr", fmt::format("{:#.3g}", *last_.learning_rate), 6});
  if (const int64_t bytes = options_.memory(); bytes > 0)
    pieces.push_back({"mem", bytes_text(bytes), 7});
  const std::optional<double> left = seconds_left();
  pieces.push_back({"ETA", left ? duration_text(*left) : "--", 0});

  const auto plain = [](const Piece& piece) {
    return piece.label.empty() ? piece.value : piece.label + " " + piece.value;
  };
  const auto total = [&] {
    int columns = -2;
    for (const Piece& piece : pieces) columns += display_width(plain(piece)) + 2;
    return columns;
  };
  while (total() > width && pieces.size() > 1)
    pieces.erase(std::max_element(pieces.begin(), pieces.end(),
                                  [](const auto& a, const auto& b) { return a.rank < b.rank; }));

  if (pieces.size() == 1) return shorten(plain(pieces[0]), width);
  std::string text;
  for (const Piece& piece : pieces) {
    if (!text.empty()) text += "  ";
    if (colour && !piece.label.empty())
      text += "\x1b[2m" + piece.label + "\x1b[0m " + piece.value;
    else if (colour && piece.rank == 4)
      text += "\x1b[1m" + piece.value + "\x1b[0m";
    else
      text += plain(piece);
  }
  return text;
}

}  // namespace ditto::apps
