#ifndef SYNCLINE_TESTS_BENCH_SCALE_SIM_CORES_H_
#define SYNCLINE_TESTS_BENCH_SCALE_SIM_CORES_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <utility>

#include "tests/bench/scale_sim/event_queue.h"

namespace syncline {

// The cores of a host, which all that wants to run shares in time slices: with more of it than
// cores, each gets an equal part of them and none waits for another to end. Not thread-safe.
class Cores {
 public:
  Cores(EventQueue* events, int cores) : events_(events), cores_(cores) {}
  Cores(const Cores&) = delete;
  Cores& operator=(const Cores&) = delete;

  // `done` happens when this has had a core for `seconds`, all slices together.
  void Run(double seconds, EventQueue::Event done) {
    Advance();
    running_.push({served_ + seconds, ++added_, std::move(done)});
    busy_ += seconds;
    Plan();
  }
  // Seconds of all cores together.
  double busy() const { return busy_; }

 private:
  struct Task {
    double end;  // where served_ will be then
    uint64_t number;
    EventQueue::Event done;
    bool operator<(const Task& other) const {
      return end != other.end ? end > other.end : number > other.number;
    }
  };

  double Rate() const {
    return std::min(1.0, static_cast<double>(cores_) / static_cast<double>(running_.size()));
  }
  void Advance() {
    if (!running_.empty()) served_ += (events_->now() - at_) * Rate();
    at_ = events_->now();
  }
  // What ends first. An earlier plan is void.
  void Plan() {
    const uint64_t plan = ++plans_;
    if (running_.empty()) return;
    const double left = std::max(0.0, running_.top().end - served_) / Rate();
    events_->After(left, [this, plan] {
      if (plan != plans_) return;
      Advance();
      Task task = std::move(const_cast<Task&>(running_.top()));
      running_.pop();
      served_ = std::max(served_, task.end);
      Plan();
      task.done();
    });
  }

  EventQueue* const events_;
  const int cores_;
  std::priority_queue<Task> running_;
  double served_ = 0;  // seconds of core that something here from the start would have had
  double at_ = 0;      // when that was so
  double busy_ = 0;
  uint64_t added_ = 0, plans_ = 0;
};

// Threads of one process: each does one thing after the other, first come, first served, on cores
// that others share. Not thread-safe.
class Threads {
 public:
  Threads(std::shared_ptr<Cores> cores, int threads) : cores_(std::move(cores)), idle_(threads) {}

  void Serve(double seconds, EventQueue::Event done) {
    if (idle_ == 0) return waiting_.push_back({seconds, std::move(done)});
    --idle_;
    cores_->Run(seconds, [this, done = std::move(done)] {
      ++idle_;
      if (!waiting_.empty()) {
        auto next = std::move(waiting_.front());
        waiting_.pop_front();
        Serve(next.first, std::move(next.second));
      }
      done();
    });
  }

 private:
  const std::shared_ptr<Cores> cores_;
  int idle_;
  std::deque<std::pair<double, EventQueue::Event>> waiting_;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_SCALE_SIM_CORES_H_
