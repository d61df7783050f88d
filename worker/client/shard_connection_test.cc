#include "worker/client/shard_connection.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/raw_call.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_matchers.h"
#include "common/wire/message.h"
#include "gtest/gtest.h"
#include "proto/parameter_server.grpc.pb.h"

namespace syncline {
namespace {

using Method = ShardConnection::Method;

constexpr size_t kMiB = 1 << 20;

// A shard that takes pushes and pulls and answers when told.
class SlowShard final : public ParameterServer::WithRawMethod_Push<
                            ParameterServer::WithRawMethod_Pull<ParameterServer::Service>> {
 public:
  void ListenOn(grpc::ServerCompletionQueue* queue) {
    const auto method = [this, queue](auto request) {
      auto listen = std::make_shared<RawCall::Method>();
      listen->request = request;
      listen->serve = [this](RawCall* call) {
        absl::MutexLock lock(&mu_);
        calls_.push_back(call);
        ++came_;
      };
      RawCall::Listen(listen, queue, 16);
    };
    method([this](auto* context, auto* request, auto* writer, auto* q, void* tag) {
      RequestPush(context, request, writer, q, q, tag);
    });
    method([this](auto* context, auto* request, auto* writer, auto* q, void* tag) {
      RequestPull(context, request, writer, q, q, tag);
    });
  }

  // Waits until so many calls in all have come, and a little for more.
  int AwaitCalls(int count) {
    absl::MutexLock lock(&mu_);
    const auto there = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return came_ >= count; };
    mu_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(10));
    const auto more = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return came_ > count; };
    mu_.AwaitWithTimeout(absl::Condition(&more), absl::Milliseconds(100));
    return came_;
  }
  void Answer(int count) {
    for (; count > 0; --count) {
      RawCall* call;
      {
        absl::MutexLock lock(&mu_);
        if (calls_.empty()) return;
        call = calls_.front();
        calls_.pop_front();
      }
      call->Reply(ToByteBuffer("x"));
    }
  }

 private:
  absl::Mutex mu_;
  std::deque<RawCall*> calls_ ABSL_GUARDED_BY(mu_);
  int came_ ABSL_GUARDED_BY(mu_) = 0;
};

// Sends 40 messages of 1 MiB each through a window of 8 MiB.
class ShardConnectionTest : public testing::TestWithParam<Method> {
 protected:
  static constexpr int kCalls = 40;

  ShardConnectionTest() {
    ServerRuntime::Options server;
    server.listen_on = [this](auto* queue) { shard_.ListenOn(queue); };
    server_ = *ServerRuntime::Start(server, {&shard_});
    ShardConnection::Options options;
    options.address = server_->address();
    options.window.initial = options.window.smallest = options.window.largest = 8 * kMiB;
    options.window.queue = 1e9;  // a shard that does not answer looks like a slow path
    connection_ = *ShardConnection::Create(options, &group_, {&queue_});
  }
  ~ShardConnectionTest() override {
    group_.Close();
    while (shard_.AwaitCalls(0) > answered_) Answer(1);
  }

  void SendAll() {
    for (int i = 0; i < kCalls; ++i) {
      connection_->Send(
          {GetParam(), 0, kMiB},
          [this](const auto&, const LocalLink*) { return Message(); },
          [this](absl::StatusOr<grpc::ByteBuffer> reply) {
            SYNCLINE_EXPECT_OK(reply.status());
            absl::MutexLock lock(&mu_);
            if (++ended_ == kCalls) all_.Notify();
          });
    }
  }
  // A message of 1 MiB, counted for as long as its memory is held.
  grpc::ByteBuffer Message() {
    {
      absl::MutexLock lock(&mu_);
      most_ = std::max(most_, ++messages_);
    }
    auto* const held = new std::shared_ptr<void>(new std::string(kMiB, 'x'), [this](void* bytes) {
      delete static_cast<std::string*>(bytes);
      absl::MutexLock lock(&mu_);
      --messages_;
    });
    const grpc::Slice slice(
        static_cast<std::string*>(held->get())->data(), kMiB,
        [](void* h) { delete static_cast<std::shared_ptr<void>*>(h); }, held);
    return grpc::ByteBuffer(&slice, 1);
  }
  void Answer(int count) {
    shard_.Answer(count);
    answered_ += count;
  }
  int most() {
    absl::MutexLock lock(&mu_);
    return most_;
  }

  absl::Mutex mu_;
  int messages_ ABSL_GUARDED_BY(mu_) = 0, most_ ABSL_GUARDED_BY(mu_) = 0;
  int ended_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Notification all_;
  SlowShard shard_;
  std::unique_ptr<ServerRuntime> server_;
  grpc::CompletionQueue queue_;
  CompletionLoop loop_{&queue_};
  CallGroup group_;
  std::unique_ptr<ShardConnection> connection_;
  int answered_ = 0;
};

TEST_P(ShardConnectionTest, AShardThatDoesNotAnswerGetsNoMoreThanTheWindow) {
  SendAll();
  EXPECT_EQ(shard_.AwaitCalls(8), 8) << "8 MiB";
  Answer(3);
  EXPECT_EQ(shard_.AwaitCalls(11), 11);
  for (int call = 3; call < kCalls; ++call) {
    shard_.AwaitCalls(call + 1);
    Answer(1);
  }
  all_.WaitForNotification();
  EXPECT_EQ(most(), 8);
}

TEST_P(ShardConnectionTest, AGrantNarrowsIt) {
  connection_->Grant(2 * kMiB);
  SendAll();
  EXPECT_EQ(shard_.AwaitCalls(2), 2);
  connection_->Grant(0);
  Answer(2);
  EXPECT_EQ(shard_.AwaitCalls(3), 3) << "one message may always be sent";
  connection_->Grant(4 * kMiB);
  Answer(1);
  EXPECT_EQ(shard_.AwaitCalls(7), 7);
  for (int call = 3; call < kCalls; ++call) {
    shard_.AwaitCalls(call + 1);
    Answer(1);
  }
  all_.WaitForNotification();
  EXPECT_EQ(most(), 4);
}

INSTANTIATE_TEST_SUITE_P(BothWays, ShardConnectionTest, testing::Values(Method::kPush, Method::kPull),
                         [](const auto& info) {
                           return info.param == Method::kPush ? "Push" : "Pull";
                         });

// It had given its chunks away and has ended before it could say so.
TEST(GoneShardTest, WhatItWasAskedMayBeAskedOfOthers) {
  grpc::CompletionQueue queue;
  CompletionLoop loop(&queue);
  CallGroup group;
  std::atomic<int> asked{0};
  ShardConnection::Options options;
  options.address = "127.0.0.1:1";  // nobody listens there
  options.gone = [&asked](Clock clock) {
    EXPECT_EQ(clock, 7u);
    return ++asked == 3;
  };
  const auto connection = *ShardConnection::Create(options, &group, {&queue});
  absl::Notification ended;
  connection->Send(
      {Method::kPush, 7, 1}, [](const auto&, const LocalLink*) { return ToByteBuffer("x"); },
      [&ended](const absl::StatusOr<grpc::ByteBuffer>& reply) {
        EXPECT_THAT(reply.status(), StatusIs(absl::StatusCode::kAborted));
        ended.Notify();
      });
  ended.WaitForNotification();
  EXPECT_EQ(asked, 3);
  group.Close();
}

}  // namespace
}  // namespace syncline
