#ifndef SYNCLINE_TESTS_BENCH_SCALE_SIM_EVENT_QUEUE_H_
#define SYNCLINE_TESTS_BENCH_SCALE_SIM_EVENT_QUEUE_H_

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace syncline {

// Things that happen at simulated times, in order; those of one time in the order they were added, so
// that a run is the same again. Not thread-safe.
class EventQueue {
 public:
  using Event = std::function<void()>;

  double now() const { return now_; }  // seconds
  // `delay` is at least 0.
  void After(double delay, Event event) {
    events_.push({now_ + delay, ++added_, std::move(event)});
  }
  // Until nothing is left, or `done` says so after an event.
  template <typename Done>
  void Run(const Done& done) {
    while (!events_.empty() && !done()) {
      // The queue gives only const access to what is removed next.
      Entry entry = std::move(const_cast<Entry&>(events_.top()));
      events_.pop();
      now_ = entry.time;
      entry.event();
    }
  }

 private:
  struct Entry {
    double time;
    uint64_t number;
    Event event;
    bool operator<(const Entry& other) const {
      return time != other.time ? time > other.time : number > other.number;
    }
  };
  double now_ = 0;
  uint64_t added_ = 0;
  std::priority_queue<Entry> events_;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_SCALE_SIM_EVENT_QUEUE_H_
