#include "worker/client/completion_loop.h"

namespace syncline {

CompletionLoop::CompletionLoop() {
  thread_ = std::thread([this] {
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) static_cast<Event*>(tag)->Happened();
  });
}

CompletionLoop::~CompletionLoop() {
  queue_.Shutdown();
  thread_.join();
}

}  // namespace syncline
