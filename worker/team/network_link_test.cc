#include "worker/team/network_link.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/channel.h"
#include "common/rpc/raw_call.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_matchers.h"
#include "common/wire/message.h"
#include "common/wire/team_message.h"
#include "gtest/gtest.h"
#include "proto/team.grpc.pb.h"

namespace syncline {
namespace {

constexpr size_t kFloats = size_t{1} << 16;

// Takes messages, and answers none until `wanted` have come.
class Receiver {
 public:
  explicit Receiver(size_t wanted, const std::string& listen = "127.0.0.1:0") : wanted_(wanted) {
    ServerRuntime::Options options;
    options.listen = listen;
    options.listen_on = [this](grpc::ServerCompletionQueue* queue) {
      const auto deliver = std::make_shared<RawCall::Method>();
      deliver->request = [this](auto* context, auto* request, auto* writer, auto* q, void* tag) {
        service_.RequestDeliver(context, request, writer, q, q, tag);
      };
      deliver->serve = [this](RawCall* call) { Take(call); };
      RawCall::Listen(deliver, queue, 8);
    };
    runtime_ = *ServerRuntime::Start(options, {&service_});
  }
  // A server ends when all its calls have been answered.
  ~Receiver() {
    absl::MutexLock lock(&mu_);
    wanted_ = 0;
    Answer();
  }

  const std::string& address() const { return runtime_->address(); }
  std::vector<uint64_t> parts;  // of the messages that have come, once they are answered

 private:
  // On the queue's thread.
  void Take(RawCall* call) {
    absl::MutexLock lock(&mu_);
    parts.push_back(DecodeTeamMessage(call->request())->head.part());
    calls_.push_back(call);
    if (parts.size() >= wanted_) Answer();
  }
  void Answer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (RawCall* const waiting : calls_) waiting->Reply(EncodeMessage(TeamReply()));
    calls_.clear();
  }

  absl::Mutex mu_;
  size_t wanted_ ABSL_GUARDED_BY(mu_);
  std::vector<RawCall*> calls_ ABSL_GUARDED_BY(mu_);
  TeamMessages::WithRawMethod_Deliver<TeamMessages::Service> service_;
  std::unique_ptr<ServerRuntime> runtime_;
};

struct Sent {
  absl::Notification done;
  absl::Status status;

  absl::Status Wait() {
    done.WaitForNotification();
    return status;
  }
};

class NetworkLinkTest : public ::testing::Test {
 protected:
  void Connect(const std::string& address) {
    link_ = std::make_unique<NetworkLink>(*MakeChannel(address, {}));
  }
  std::shared_ptr<Sent> Send(uint64_t part) {
    auto sent = std::make_shared<Sent>();
    TeamMessage head;
    head.set_part(part);
    link_->Send(std::move(head), Fragments::Of(floats_.data(), kFloats * sizeof(float)),
                [sent](const absl::Status& status) {
                  sent->status = status;
                  sent->done.Notify();
                });
    return sent;
  }

  const std::vector<float> floats_ = std::vector<float>(kFloats, 1);
  std::unique_ptr<NetworkLink> link_;
};

TEST_F(NetworkLinkTest, SeveralMessagesAreUnderWayAtATime) {
  Receiver receiver(4);
  Connect(receiver.address());
  std::vector<std::shared_ptr<Sent>> sent;
  for (uint64_t part = 0; part < 4; ++part) sent.push_back(Send(part));
  for (const auto& message : sent) SYNCLINE_EXPECT_OK(message->Wait());
}

TEST_F(NetworkLinkTest, OthersWaitUntilThereIsRoom) {
  Receiver receiver(4);
  Connect(receiver.address());
  std::vector<std::shared_ptr<Sent>> sent;
  for (uint64_t part = 0; part < 100; ++part) sent.push_back(Send(part));
  for (const auto& message : sent) SYNCLINE_EXPECT_OK(message->Wait());
  EXPECT_EQ(receiver.parts.size(), 100u);
}

TEST_F(NetworkLinkTest, MessagesWaitForAReceiverThatIsNotThereYet) {
  std::string address;
  {
    Receiver before(1);
    address = before.address();
  }
  Connect(address);
  const auto sent = Send(7);
  Receiver receiver(1, address);
  SYNCLINE_EXPECT_OK(sent->Wait());
  EXPECT_EQ(receiver.parts.at(0), 7u);
}

TEST_F(NetworkLinkTest, WhatHasNotArrivedWhenItClosesNeverWill) {
  Receiver receiver(1000);
  Connect(receiver.address());
  std::vector<std::shared_ptr<Sent>> sent;
  for (uint64_t part = 0; part < 100; ++part) sent.push_back(Send(part));
  link_->Close();
  sent.push_back(Send(100));
  for (const auto& message : sent) EXPECT_THAT(message->Wait(), StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace syncline
