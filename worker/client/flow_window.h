#ifndef SYNCLINE_WORKER_CLIENT_FLOW_WINDOW_H_
#define SYNCLINE_WORKER_CLIENT_FLOW_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <limits>

namespace syncline {

// How many bytes may be under way to a shard: enough to keep the connection busy, which is its
// bandwidth-delay product, and no more, because what waits in queues comes late and takes memory. As in
// BBR (Cardwell et al., "BBR: Congestion-Based Congestion Control", 2016), bandwidth is the highest
// rate of delivery and delay the shortest time of a call seen lately, and the window is a multiple of
// their product, so that a wider path shows.
//
// Knows no clock: `now` is in seconds since some moment. Not thread-safe.
class FlowWindow {
 public:
  struct Options {
    // The window is from `smallest` to `largest`, and `initial` before anything is known. On a path that
    // needs longer than `queue` seconds for `smallest`, what it carries in that time is enough.
    double queue = 0.01;
    size_t smallest = size_t{4} << 20;
    size_t initial = size_t{8} << 20;
    size_t largest = size_t{256} << 20;
    // Measurements older than this, or twice this, are forgotten.
    double memory = 10;
  };
  // A call as it began.
  struct Call {
    double begun = 0;
    uint64_t delivered = 0;
  };

  explicit FlowWindow(const Options& options) : options_(options) {}

  Call Begin(double now) const { return {now, delivered_}; }
  // The shard has acknowledged `bytes` of a call that did not wait for another worker.
  void Delivered(const Call& call, size_t bytes, double now);
  // What the shard has room for; it overrides `smallest`.
  void Grant(size_t bytes) { granted_ = bytes; }

  size_t limit() const;
  // Bytes a second; 0 before anything is known.
  double rate() const;

 private:
  struct Period {
    double rate = 0;  // bytes a second
    // The shortest time of a call, and what it brought.
    double delay = std::numeric_limits<double>::infinity();
    size_t bytes = 0;
  };

  const Options options_;
  uint64_t delivered_ = 0;
  double turned_ = 0;  // when `now_` began
  Period now_, before_;
  size_t granted_ = std::numeric_limits<size_t>::max();
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_FLOW_WINDOW_H_
