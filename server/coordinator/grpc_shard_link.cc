#include "server/coordinator/grpc_shard_link.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "proto/parameter_server.grpc.pb.h"

namespace syncline {
namespace {

constexpr absl::Duration kAttempt = absl::Seconds(5);
constexpr absl::Duration kShortPatience = absl::Seconds(2);
// A shard that is configured may first read a checkpoint.
constexpr absl::Duration kConfigureAttempt = absl::Minutes(10);

class GrpcShardLink : public ShardLink {
 public:
  GrpcShardLink(std::string address, std::shared_ptr<grpc::Channel> channel,
                const ShardLinkPatience& patience, uint64_t generation,
                std::shared_ptr<std::atomic<uint64_t>> calls)
      : address_(std::move(address)),
        patience_(patience),
        generation_(generation),
        calls_(std::move(calls)),
        stub_(ParameterServer::NewStub(std::move(channel))) {}

  absl::StatusOr<ConfigureReply> Configure(const ConfigureRequest& request) override {
    return Ask<ConfigureReply>("configuring", &ParameterServer::Stub::Configure, Signed(request),
                               kConfigureAttempt);
  }

  absl::StatusOr<UpdateMemberReply> UpdateMember(const UpdateMemberRequest& request) override {
    return Ask<UpdateMemberReply>("telling of a member to", &ParameterServer::Stub::UpdateMember,
                                  Signed(request), kAttempt);
  }

  absl::StatusOr<ChangeMapReply> ChangeMap(const ChangeMapRequest& request) override {
    ChangeMapRequest numbered = Signed(request);
    numbered.set_number(++*calls_);
    return Ask<ChangeMapReply>("changing the map of", &ParameterServer::Stub::ChangeMap, numbered,
                               kAttempt);
  }

  absl::StatusOr<StopAtReply> StopAt(uint64_t step) override {
    StopAtRequest request;
    request.set_step(step);
    return Ask<StopAtReply>("stopping", &ParameterServer::Stub::StopAt, Signed(request), kAttempt);
  }

  absl::StatusOr<ShardStatusReply> Status() override {
    return AskFor<ShardStatusReply>(ShortPatience(), "asking", &ParameterServer::Stub::ShardStatus,
                                    ShardStatusRequest(), ShortPatience());
  }

  absl::Status EndJob() override {
    return AskFor<EndJobReply>(ShortPatience(), "dismissing", &ParameterServer::Stub::EndJob,
                               Signed(EndJobRequest()), ShortPatience())
        .status();
  }

  void GiveUp() override { given_up_ = true; }

  // RESOURCE_EXHAUSTED is a full disk here, which waiting does not help. A step that is long in
  // coming is no error; a shard that is away is, after a while.
  absl::StatusOr<WriteCheckpointReply> WriteCheckpoint(
      const WriteCheckpointRequest& request) override {
    absl::Time give_up = SteadyNow() + patience_.away;
    while (true) {
      const absl::Time begun = SteadyNow();
      auto reply = Call<WriteCheckpointReply>(*stub_, &ParameterServer::Stub::WriteCheckpoint,
                                              Signed(request), patience_.checkpoint_attempt);
      const absl::StatusCode code = reply.status().code();
      const bool waited = code == absl::StatusCode::kDeadlineExceeded;
      const bool away = code == absl::StatusCode::kUnavailable;
      // A shard that answered for a while was there.
      if (SteadyNow() - begun > absl::Seconds(1)) give_up = SteadyNow() + patience_.away;
      if (given_up_) return Lost("writing a checkpoint on");
      if (waited || (away && SteadyNow() < give_up)) {
        absl::SleepFor(absl::Milliseconds(50));
        continue;
      }
      if (!reply.ok()) return Named("writing a checkpoint on", reply.status());
      return reply;
    }
  }

 private:
  // Of whoever wants to hear of a shard that is away, and soon.
  absl::Duration ShortPatience() const { return std::min(patience_.away, kShortPatience); }

  template <typename Reply, typename Method, typename Request>
  absl::StatusOr<Reply> Ask(const char* doing, Method method, const Request& request,
                            absl::Duration attempt) {
    return AskFor<Reply>(patience_.away, doing, method, request, attempt);
  }

  template <typename Reply, typename Method, typename Request>
  absl::StatusOr<Reply> AskFor(absl::Duration away, const char* doing, Method method,
                               const Request& request, absl::Duration attempt) {
    absl::StatusOr<Reply> reply = absl::UnknownError("not called");
    const absl::Status status = RetryUntil(SteadyNow() + away, Doing(doing), [&] {
      if (given_up_) return absl::OkStatus();
      reply = Call<Reply>(*stub_, method, request, attempt);
      return reply.status();
    });
    if (given_up_) return Lost(doing);
    if (!status.ok()) return status;
    return reply;
  }

  // Whoever wanted it for a worker is asked again, once others have taken over.
  absl::Status Lost(const char* doing) const {
    return Named(doing, absl::UnavailableError("the shard is lost"));
  }

  template <typename Request>
  Request Signed(Request request) const {
    request.set_generation(generation_);
    return request;
  }

  std::string Doing(const char* doing) const {
    return absl::StrCat(doing, " shard ", address_);
  }
  absl::Status Named(const char* doing, const absl::Status& status) const {
    return absl::Status(status.code(), absl::StrCat(Doing(doing), ": ", status.message()));
  }

  const std::string address_;
  const ShardLinkPatience patience_;
  const uint64_t generation_;
  const std::shared_ptr<std::atomic<uint64_t>> calls_;  // changes of maps, of all links
  std::atomic<bool> given_up_{false};
  const std::unique_ptr<ParameterServer::Stub> stub_;
};

}  // namespace

ConnectShard GrpcShards(const SecurityOptions& security, const ShardLinkPatience& patience,
                        uint64_t generation) {
  const auto calls = std::make_shared<std::atomic<uint64_t>>(0);
  return [security, patience, generation, calls](
             const std::string& address) -> absl::StatusOr<std::unique_ptr<ShardLink>> {
    SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address, security));
    return std::make_unique<GrpcShardLink>(address, std::move(channel), patience, generation, calls);
  };
}

}  // namespace syncline
