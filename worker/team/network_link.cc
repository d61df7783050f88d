#include "worker/team/network_link.h"

#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/time/steady_now.h"
#include "common/wire/team_message.h"
#include "grpcpp/alarm.h"

namespace syncline {
namespace {

constexpr absl::Duration kAttempt = absl::Seconds(10);
constexpr absl::Duration kPause = absl::Milliseconds(20);
// HTTP/2 sends what is under way in turns, piece by piece: with much of it, all of it arrives late.
constexpr size_t kSmallestWindow = size_t{1} << 20;

FlowWindow::Options Window() {
  FlowWindow::Options options;
  options.smallest = kSmallestWindow;
  options.initial = 2 * kSmallestWindow;
  return options;
}

double Seconds() { return absl::ToDoubleSeconds(SteadyNow() - absl::UnixEpoch()); }

absl::Status NoMember() { return absl::CancelledError("the process is no member of the team any more"); }

}  // namespace

// A message with all attempts at it. Deletes itself when it has told its end.
class NetworkLink::Call final : public CompletionEvent {
 public:
  Call(NetworkLink* link, TeamMessage head, const Fragments& data, Done done)
      : link_(link), head_(std::move(head)), data_(data), done_(std::move(done)) {}

  size_t bytes() const { return data_.size(); }
  FlowWindow::Call begun;  // as it was sent for the first time

  void Begin() {
    lifetime_ = std::make_shared<char>();
    Fragments data(lifetime_);
    for (const Fragments::Piece& piece : data_.pieces()) data.Append(piece.data, piece.size);
    request_ = EncodeTeamMessage(head_, data);
    reply_.Clear();
    auto context = std::make_shared<grpc::ClientContext>();
    context->set_deadline(DeadlineIn(kAttempt));
    {
      absl::MutexLock lock(&link_->mu_);
      context_ = std::move(context);
      if (link_->closed_) context_->TryCancel();
    }
    call_ = link_->stub_.PrepareUnaryCall(context_.get(), "/syncline.TeamMessages/Deliver", request_, &link_->queue_);
    next_ = &Call::Replied;
    call_->StartCall();
    call_->Finish(&reply_, &status_, this);
  }
  // The link's lock is held.
  void Cancel() {
    if (context_ != nullptr) context_->TryCancel();
  }
  void Happened(bool) override { (this->*next_)(); }
  void Refuse() { done_(NoMember()); }

 private:
  void End(const absl::Status& status) {
    done_(status);
    link_->Ended(this, status.ok());
    delete this;
  }
  void Replied() {
    call_.reset();
    request_.Clear();
    // The call goes with it, which may hold the message to try it again by itself.
    std::shared_ptr<grpc::ClientContext> over;
    {
      absl::MutexLock lock(&link_->mu_);
      over.swap(context_);
    }
    over.reset();
    const absl::Status delivered = FromGrpcStatus(status_);
    // The other one has read all of it, so nobody looks at the memory any more.
    if (delivered.ok()) return End(delivered);
    released_ = std::exchange(lifetime_, nullptr);
    result_ = delivered;
    Later(kPause);
  }
  // gRPC may look at the message for a while after a call that failed.
  void Again() {
    if (!released_.expired()) return Later(absl::Milliseconds(1));
    if (link_->closed()) return End(NoMember());
    if (!IsTransient(result_)) return End(result_);
    Begin();
  }
  void Later(absl::Duration pause) {
    next_ = &Call::Again;
    alarm_.Set(&link_->queue_, DeadlineIn(pause), this);
  }

  NetworkLink* const link_;
  const TeamMessage head_;
  const Fragments data_;
  const Done done_;
  std::shared_ptr<grpc::ClientContext> context_;
  std::shared_ptr<const void> lifetime_;
  std::weak_ptr<const void> released_;
  grpc::ByteBuffer request_, reply_;
  grpc::Status status_;
  absl::Status result_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> call_;
  grpc::Alarm alarm_;
  void (Call::*next_)() = nullptr;
};

NetworkLink::NetworkLink(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel), window_(Window()) {}

NetworkLink::~NetworkLink() {
  Close();
  absl::MutexLock lock(&mu_);
  const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return calls_.empty(); };
  mu_.Await(absl::Condition(&none));
}

bool NetworkLink::closed() const {
  absl::MutexLock lock(&mu_);
  return closed_;
}

bool NetworkLink::idle() const {
  absl::MutexLock lock(&mu_);
  return calls_.empty();
}

bool NetworkLink::Admit(Call* call) {
  if (!calls_.empty() && bytes_ + call->bytes() > window_.limit()) return false;
  bytes_ += call->bytes();
  calls_.insert(call);
  call->begun = window_.Begin(Seconds());
  return true;
}

void NetworkLink::Send(TeamMessage head, const Fragments& data, Done done) {
  auto call = std::make_unique<Call>(this, std::move(head), data, std::move(done));
  bool begins = false;
  {
    absl::MutexLock lock(&mu_);
    begins = !closed_ && waiting_.empty() && Admit(call.get());
    if (!closed_ && !begins) return waiting_.push_back(std::move(call));
  }
  if (begins) return call.release()->Begin();
  call->Refuse();
}

void NetworkLink::Ended(Call* call, bool delivered) {
  std::vector<std::unique_ptr<Call>> next;
  {
    absl::MutexLock lock(&mu_);
    calls_.erase(call);
    bytes_ -= call->bytes();
    if (delivered) window_.Delivered(call->begun, call->bytes(), Seconds());
    while (!waiting_.empty() && Admit(waiting_.front().get())) {
      next.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
  }
  for (auto& begins : next) begins.release()->Begin();
}

void NetworkLink::Close() {
  std::deque<std::unique_ptr<Call>> waiting;
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    waiting.swap(waiting_);
    for (Call* const call : calls_) call->Cancel();
  }
  for (const auto& call : waiting) call->Refuse();
}

}  // namespace syncline
