#include "worker/client/shard_connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "common/wire/message.h"
#include "grpcpp/alarm.h"

namespace syncline {
namespace {

using Method = ShardConnection::Method;

const std::string& Path(Method method) {
  static const std::string paths[] = {"/syncline.ParameterServer/Push",
                                      "/syncline.ParameterServer/Pull",
                                      "/syncline.ParameterServer/Commit",
                                      "/syncline.ParameterServer/PushPull"};
  return paths[static_cast<int>(method)];
}

LocalFrame::Kind KindOf(Method method) {
  switch (method) {
    case Method::kPush:
      return LocalFrame::kPush;
    case Method::kPull:
      return LocalFrame::kPull;
    case Method::kCommit:
      return LocalFrame::kCommit;
    case Method::kPushPull:
      return LocalFrame::kPushPull;
  }
  return LocalFrame::kPing;
}

// A pull waits at the shard for other workers; when it has long enough it is asked again.
bool WaitsForOthers(Method method) {
  return method == Method::kPull || method == Method::kPushPull;
}

// On a link messages name places, and the bytes stay where they are.
constexpr size_t kLinkBytes = size_t{256} << 20;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

absl::Duration AttemptTimeout(Method method) {
  return WaitsForOthers(method) ? absl::Seconds(20) : absl::Seconds(10);
}

}  // namespace

// One call with all its attempts. Deletes itself when it has told its end.
class ShardConnection::Attempts final : public CompletionEvent {
 public:
  Attempts(ShardConnection* connection, const Call& call, MakeRequest request, Done done)
      : connection_(connection),
        what_(call),
        make_request_(std::move(request)),
        done_(std::move(done)) {}

  Method method() const { return what_.method; }
  size_t bytes() const { return what_.bytes; }
  // As it was sent for the first time.
  FlowWindow::Call call_begun;

  void Begin() {
    if (channel_ == nullptr) give_up_ = SteadyNow() + connection_->options_.patience;
    const uint32_t turn = connection_->turn_++;
    channel_ = &connection_->channels_[turn % connection_->channels_.size()];
    if (!BegunLocally()) BeginRemotely();
  }

  void Happened(bool) override { (this->*next_)(); }

 private:
  // When this is true the call may have ended already, and this object with it.
  bool BegunLocally() {
    LocalLink* const link = connection_->link_.get();
    if (link == nullptr || connection_->abandoned()) return false;
    const auto request = make_request_(nullptr, link);
    if (!request) return false;
    return link->Call(KindOf(method()), ToString(*request), [this](absl::StatusOr<std::string> reply) {
      AttemptDone(reply.status(), reply.ok() ? ToByteBuffer(*reply) : grpc::ByteBuffer());
    });
  }

  void BeginRemotely() {
    context_ = std::make_unique<grpc::ClientContext>();
    context_->set_deadline(DeadlineIn(AttemptTimeout(method())));
    if (!connection_->group_->Add(context_.get())) {
      result_ = absl::CancelledError("the client is closing");
      return End();
    }
    if (!connection_->contexts_.Add(context_.get())) {
      connection_->group_->Remove(context_.get());
      result_ = Lost();
      // Never inside Send.
      return Later(absl::ZeroDuration(), &Attempts::End);
    }
    lifetime_ = std::make_shared<char>();
    request_ = *make_request_(lifetime_, nullptr);
    reply_.Clear();
    call_ = channel_->stub->PrepareUnaryCall(context_.get(), Path(method()), request_,
                                             channel_->queue);
    next_ = &Attempts::RemoteDone;
    call_->StartCall();
    call_->Finish(&reply_, &status_, this);
  }

  void RemoteDone() {
    connection_->group_->Remove(context_.get());
    connection_->contexts_.Remove(context_.get());
    call_.reset();
    request_.Clear();
    AttemptDone(FromGrpcStatus(status_), std::move(reply_));
  }

  void AttemptDone(const absl::Status& status, grpc::ByteBuffer reply) {
    if (status.ok()) {
      // The shard has read all of the request, so nobody looks at the caller's memory any more.
      result_ = std::move(reply);
      return End();
    }
    const bool waits = WaitsForOthers(method()) && absl::IsDeadlineExceeded(status);
    if (waits) give_up_ = SteadyNow() + connection_->options_.patience;
    const bool again = waits || IsTransient(status) || absl::IsDeadlineExceeded(status);
    if (connection_->group_->closing()) {
      result_ = absl::CancelledError("the client is closing");
    } else if (connection_->abandoned() || (again && !waits && Gone())) {
      result_ = Lost();
    } else if (!again || SteadyNow() > give_up_) {
      result_ = absl::Status(status.code(), absl::StrCat("shard ", connection_->options_.address,
                                                         ": ", status.message()));
    } else {
      if (waits) return Begin();
      wait_ = std::min(2 * wait_, absl::Seconds(1));
      return Later(wait_, &Attempts::Begin);
    }
    EndWhenReleased();
  }

  bool Gone() const { return connection_->options_.gone && connection_->options_.gone(what_.clock); }

  absl::Status Lost() const {
    return absl::AbortedError(absl::StrCat("shard ", connection_->options_.address, " is no shard any more"));
  }

  void EndWhenReleased() {
    // gRPC keeps what a call has not sent yet for as long as there is the call, and that ends with its context.
    context_.reset();
    const std::weak_ptr<const void> lifetime = lifetime_;
    lifetime_.reset();
    if (lifetime.expired()) return End();
    released_ = lifetime;
    PollReleased();
  }

  void PollReleased() {
    if (released_.expired()) return End();
    Later(absl::Milliseconds(5), &Attempts::PollReleased);
  }

  void Later(absl::Duration wait, void (Attempts::*then)()) {
    next_ = then;
    alarm_.Set(channel_->queue, DeadlineIn(wait), this);
  }

  void End() {
    const Done done = std::move(done_);
    ShardConnection* const connection = connection_;
    auto result = std::move(result_);
    connection->Finished(*this, result.ok());
    delete this;
    done(std::move(result));
    connection->group_->Leave();
  }

  ShardConnection* const connection_;
  const Call what_;
  const MakeRequest make_request_;
  Done done_;
  absl::Time give_up_;
  absl::Duration wait_ = absl::Milliseconds(10);
  std::unique_ptr<grpc::ClientContext> context_;
  std::shared_ptr<const void> lifetime_;
  std::weak_ptr<const void> released_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer reply_;
  const Channel* channel_ = nullptr;
  grpc::Status status_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> call_;
  grpc::Alarm alarm_;
  // What the call or alarm under way leads to; there is one of them at a time.
  void (Attempts::*next_)() = nullptr;
  absl::StatusOr<grpc::ByteBuffer> result_ = absl::UnknownError("no attempt made");
};

absl::StatusOr<std::unique_ptr<ShardConnection>> ShardConnection::Create(const Options& options,
                                                                         CallGroup* group,
                                                                         const Queues& queues) {
  std::unique_ptr<ShardConnection> connection(new ShardConnection(options, group));
  for (int i = 0; i < std::max(options.channels, 1); ++i) {
    grpc::CompletionQueue* const queue = queues[i % queues.size()];
    SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(options.address, options.security));
    connection->channels_.push_back({std::make_unique<grpc::GenericStub>(channel), queue});
  }
  return connection;
}

// A lane without calls takes one of any size.
bool ShardConnection::HasRoom(const Lane& lane, size_t bytes) const {
  const bool local = link_ != nullptr && !link_->ended();
  return lane.bytes == 0 || lane.bytes + bytes <= (local ? kLinkBytes : window_.limit());
}

void ShardConnection::Send(const Call& call, MakeRequest request, Done done) {
  if (!group_->Enter()) return done(absl::CancelledError("the client is closing"));
  auto* attempts = new Attempts(this, call, std::move(request), std::move(done));
  {
    absl::MutexLock lock(&mu_);
    Lane& lane = lanes_[static_cast<int>(call.method)];
    if (!lane.waiting.empty() || !HasRoom(lane, call.bytes)) {
      lane.waiting.push_back(attempts);
      return;
    }
    Enter(&lane, attempts);
  }
  attempts->Begin();
}

void ShardConnection::Enter(Lane* lane, Attempts* attempts) {
  lane->bytes += attempts->bytes();
  attempts->call_begun = window_.Begin(Seconds());
}

double ShardConnection::rate() {
  absl::MutexLock lock(&mu_);
  return window_.rate();
}

void ShardConnection::Grant(size_t bytes) {
  absl::MutexLock lock(&mu_);
  window_.Grant(bytes);
}

void ShardConnection::Finished(const Attempts& attempts, bool delivered) {
  std::vector<Attempts*> next;
  {
    absl::MutexLock lock(&mu_);
    if (delivered && attempts.method() == Method::kPush) {
      window_.Delivered(attempts.call_begun, attempts.bytes(), Seconds());
    }
    Lane& lane = lanes_[static_cast<int>(attempts.method())];
    lane.bytes -= attempts.bytes();
    while (!lane.waiting.empty() && HasRoom(lane, lane.waiting.front()->bytes())) {
      next.push_back(lane.waiting.front());
      lane.waiting.pop_front();
      Enter(&lane, next.back());
    }
  }
  for (Attempts* const call : next) call->Begin();
}

}  // namespace syncline
