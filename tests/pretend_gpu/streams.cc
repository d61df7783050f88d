#include "tests/pretend_gpu/streams.h"

#include <unistd.h>

namespace syncline {

void PretendStreams::Progress() {
  for (bool moved = true; moved;) {
    moved = false;
    for (Stream& stream : streams_) {
      while (!stream.work.empty()) {
        if (!stream.work.front()()) break;
        stream.work.pop_front();
        moved = true;
      }
    }
  }
}

void PretendStreams::Await(const Point& point) {
  while (!Reached(point)) usleep(50);
}

}  // namespace syncline
