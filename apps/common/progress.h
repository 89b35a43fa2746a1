// Progress: how far the work is and how long it will take: one line that keeps changing on a
// terminal, a plain line every few seconds anywhere else (files, pipes, CI logs).
//
// The time left covers everything planned: all epochs, evaluations and compared runs. Training and
// evaluation have their own speeds, averaged over the last half minute or so; until an evaluation
// has been seen, it is taken to cost a third of training (the forward pass alone).
//
// Permanent lines go through print(), so that they never mix with the live line. Used by one
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace ditto::apps {

// Where and how to write. The default: standard output, live when it is a terminal (and TERM is not
// "dumb"), in colour unless the environment has a non-empty NO_COLOR (no-color.org).
struct ProgressOptions {
  static ProgressOptions standard_output();

  std::ostream* out = nullptr;
  bool live = false;
  bool colour = false;
  double plain_interval = 10;       // seconds between plain lines
  double live_interval = 0.1;       // seconds between redraws
  std::function<double()> clock;    // seconds, monotonic
  std::function<int()> width;       // columns of the terminal now
  std::function<int64_t()> memory;  // resident bytes now
};

// Images that are still to be handled, over all epochs and compared runs.
struct ProgressPlan {
  int64_t train_images = 0;
  int64_t eval_images = 0;
};

struct ProgressUpdate {
  std::string_view run = {};      // "" where nothing is compared
  bool evaluating = false;        // else training
  int64_t epoch = 0, epochs = 0;  // the present one, from 1; 0 epochs: not shown
  int64_t step = 0, steps = 0;    // within the epoch or evaluation; 0 steps: not shown
  int64_t images = 0;             // handled since the previous update
  std::optional<double> loss = {}, accuracy = {}, learning_rate = {};
};

class Progress {
 public:
  explicit Progress(ProgressPlan plan,
                    ProgressOptions options = ProgressOptions::standard_output());
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Counts the images and shows the state if the last showing is long enough ago.
  void update(const ProgressUpdate& update);
  // Writes a permanent line (without its newline) above the live one.
  void print(std::string_view line);
  // Removes the live line; time until the next update is not counted as work.
  void pause();
  // Replaces the plan from here on ("what is left"), once the number of steps is known.
  void set_plan(ProgressPlan left) { left_ = left; }

  // Speed of training; nothing before the first update.
  std::optional<double> images_per_second() const { return train_.rate(); }
  // Time until everything planned is done; nothing before training has begun.
  std::optional<double> seconds_left() const;

 private:
  // Images and seconds in which older ones weigh less, by exp(-age / 30 s).
  struct Speed {
    double images = 0, seconds = 0;
    void add(double new_images, double elapsed);
    std::optional<double> rate() const;
  };

  void erase();
  void draw();
  std::string line(int width, bool colour) const;

  ProgressOptions options_;
  ProgressPlan left_;
  Speed train_, eval_;
  ProgressUpdate last_;
  std::string run_;  // owns last_.run
  double start_, last_update_, last_shown_;
  bool on_screen_ = false;
};

}  // namespace ditto::apps
