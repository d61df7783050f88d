#include "common/rpc/completion_loop.h"

namespace syncline {

CompletionLoop::CompletionLoop(grpc::CompletionQueue* queue) : queue_(queue) {
  thread_ = std::thread([queue] {
    void* tag;
    bool ok;
    while (queue->Next(&tag, &ok)) static_cast<CompletionEvent*>(tag)->Happened(ok);
  });
}

CompletionLoop::~CompletionLoop() {
  queue_->Shutdown();
  thread_.join();
}

}  // namespace syncline
