#ifndef SYNCLINE_TESTS_BENCH_SCALE_SIM_RESOURCE_H_
#define SYNCLINE_TESTS_BENCH_SCALE_SIM_RESOURCE_H_

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "tests/bench/scale_sim/event_queue.h"

namespace syncline {

// Some equal servers with one queue, first come, first served, such as one direction of a network card. Not thread-safe.
class Resource {
 public:
  Resource(EventQueue* events, int servers) : events_(events) {
    for (int i = 0; i < servers; ++i) free_at_.push(0);
  }
  // Has a server spend `seconds` on something; how long from now until it is done.
  double Reserve(double seconds) {
    const double end = std::max(free_at_.top(), events_->now()) + seconds;
    free_at_.pop();
    free_at_.push(end);
    busy_ += seconds;
    return end - events_->now();
  }
  // The same, and `done` happens then.
  void Serve(double seconds, EventQueue::Event done) {
    events_->After(Reserve(seconds), std::move(done));
  }
  // Seconds of all servers together.
  double busy() const { return busy_; }

 private:
  EventQueue* const events_;
  std::priority_queue<double, std::vector<double>, std::greater<>> free_at_;
  double busy_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_SCALE_SIM_RESOURCE_H_
