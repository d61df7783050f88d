#ifndef SYNCLINE_TESTS_PRETEND_GPU_STREAMS_H_
#define SYNCLINE_TESTS_PRETEND_GPU_STREAMS_H_

#include <cstdint>
#include <deque>
#include <functional>

#include "worker/backend/backend.h"
#include "worker/backend/host_device.h"

namespace syncline {

// The streams of a device that pretends: work waits in them until somebody asks how far it is.
class PretendStreams {
 public:
  static constexpr int kStreams = kGroupStream + 1;
  // True: it is done; false: ask again.
  using Work = std::function<bool()>;
  // A place in a stream.
  struct Point {
    int stream = 0;
    uint64_t submitted = 0;
  };

  void Submit(int stream, Work work) {
    streams_[stream].work.push_back(std::move(work));
    ++streams_[stream].submitted;
    Progress();
  }
  // The end of what was submitted.
  Point End(int stream) const { return {stream, streams_[stream].submitted}; }
  bool Reached(const Point& point) {
    Progress();
    return Passed(point);
  }
  // The same, as of now: for work that waits for another stream.
  bool Passed(const Point& point) const {
    const Stream& stream = streams_[point.stream];
    return stream.submitted - stream.work.size() >= point.submitted;
  }
  // Blocks, for ever if need be, as a device does.
  void Await(const Point& point);
  // Drops what waits in a stream.
  void Clear(int stream) { streams_[stream].work.clear(); }

 private:
  struct Stream {
    std::deque<Work> work;
    uint64_t submitted = 0;
  };
  void Progress();

  Stream streams_[kStreams];
};

// As the CPU backend's functions take it.
struct PretendDevice : BackendDevice {
  PretendStreams streams;
};
inline PretendDevice* Pretend(BackendDevice* device) { return static_cast<PretendDevice*>(device); }

}  // namespace syncline

#endif  // SYNCLINE_TESTS_PRETEND_GPU_STREAMS_H_
