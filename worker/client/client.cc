#include "worker/client/client.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/cluster/shard_map.h"
#include "common/codec/tensor_codecs.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/rpc/completion_loop.h"
#include "common/status/status_macros.h"
#include "common/wire/chunk_message.h"
#include "common/wire/message.h"
#include "common/wire/protocol_version.h"
#include "proto/coordinator.grpc.pb.h"
#include "proto/parameter_server.grpc.pb.h"
#include "worker/client/call_group.h"
#include "worker/client/gather.h"
#include "worker/client/gradient_encoder.h"
#include "worker/client/heartbeat.h"
#include "worker/client/local_link.h"
#include "worker/client/pull_operation.h"
#include "worker/client/router.h"
#include "worker/client/shard_connection.h"

namespace syncline {
namespace {

using Method = ShardConnection::Method;

// Long for a coordinator that is busy with shards, short enough to notice one that went.
constexpr absl::Duration kCallTimeout = absl::Seconds(15);

// Of lent memory one message may name this much: enough for a shard to spread over its cores, and not
// too much for the network if the link ends.
constexpr size_t kLentBytes = size_t{32} << 20;

std::string DefaultName() {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  return absl::StrCat(host, ":", getpid());
}

int IoThreads(const ClientOptions& options) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int threads = options.io_threads > 0 ? options.io_threads : cores / 4;
  return std::clamp(threads, 1, std::max(options.channels_per_shard, 1));
}

class ClientImpl final : public Client {
 public:
  ClientImpl(ClientOptions options, std::unique_ptr<Coordinator::Stub> coordinator,
             JoinWorkerReply joined)
      : options_(std::move(options)),
        coordinator_(std::move(coordinator)),
        joined_(std::move(joined)),
        heartbeat_(coordinator_.get(), joined_.rank(), joined_.incarnation(),
                   absl::Milliseconds(joined_.lease_ms()) / 4) {}
  ~ClientImpl() override {
    for (const auto& shard : shards_) shard->CloseLink();
    calls_.Close();
  }

  Rank rank() const override { return joined_.rank(); }
  Incarnation incarnation() const override { return joined_.incarnation(); }
  const JobManifest& job() const override { return joined_.job(); }

  absl::Status CreateTensors(absl::Span<const TensorSpec> tensors) override;
  void Lend(std::shared_ptr<const SharedMemory> memory) override {
    lent_.push_back(std::move(memory));
  }
  int shards_on_this_host() const override;
  void Pull(Clock clock, absl::Span<float* const> to, TensorReady ready, PullDone done) override {
    SendPulls(clock, false, to, std::move(ready), std::move(done));
  }
  void Observe(absl::Span<float* const> to, Done done) override {
    SendPulls(0, true, to, nullptr,
              [done = std::move(done)](auto outcome) { done(outcome.status()); });
  }
  void Push(Clock clock, absl::Span<const Gradient> gradients, Done done) override;
  void Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors,
              CommitDone done) override;
  void PushPull(Clock clock, absl::Span<const float* const> gradients, uint64_t samples,
                const std::vector<Rank>& contributors, absl::Span<float* const> to,
                PullDone done) override;
  absl::StatusOr<LeaseReply> Lease(uint64_t samples, Clock from_clock, Clock committed) override;
  void Report(const WorkerProgress& progress) override { heartbeat_.Report(progress); }
  bool expelled() const override { return heartbeat_.expelled(); }
  bool stopping() const override { return heartbeat_.stopping(); }
  absl::Status Leave(Clock clock, const WorkerProgress& progress) override;

 private:
  Sender MakeSender() const;
  absl::Time Deadline() const { return absl::Now() + options_.deadline; }
  std::string CoordinatorName() const {
    return absl::StrCat("the coordinator at ", options_.coordinator);
  }
  void SendPulls(Clock clock, bool observer, absl::Span<float* const> to, TensorReady ready,
                 PullDone done);
  // Where chunks lie in tensors that begin at `tensors`.
  template <typename T>
  std::vector<LocalLink::Chunk> ChunksOf(absl::Span<const uint32_t> ids,
                                         absl::Span<T* const> tensors) const;
  // The request for one group of a push, as often as it is sent.
  ShardConnection::MakeRequest PushRequestOf(const PushHeader& header, const Router::Group& group,
                                             absl::Span<const float* const> tensors);
  void NoteSkipped(Clock clock, const grpc::ByteBuffer& reply);
  void SendCommit(size_t shard, const CommitRequest& request, CommitDone done);
  absl::Status CheckReady(size_t given) const;
  absl::Status ConnectShard(const std::string& address, const ShardConnection::Queues& queues);

  const ClientOptions options_;
  const std::unique_ptr<Coordinator::Stub> coordinator_;
  const JoinWorkerReply joined_;
  // Set by CreateTensors, before anything else looks at them.
  uint64_t map_epoch_ = 0;
  std::unique_ptr<Router> router_;
  std::unique_ptr<ChunkVersions> versions_;
  std::unique_ptr<GradientEncoder> encoder_;
  std::vector<Codec> pull_codecs_;  // by chunk
  // One more than the last clock of which a shard skipped something.
  std::atomic<Clock> skipped_{0};
  CallGroup calls_;
  // One for each thread; the channels of a shard are dealt out to them.
  std::vector<std::unique_ptr<grpc::CompletionQueue>> queues_;
  std::vector<std::unique_ptr<CompletionLoop>> loops_;
  std::vector<std::unique_ptr<ShardConnection>> shards_;
  LentBlocks lent_;
  Heartbeat heartbeat_;
};

Sender ClientImpl::MakeSender() const {
  Sender sender;
  sender.set_rank(rank());
  sender.set_incarnation(incarnation());
  sender.set_protocol(kProtocolVersion);
  sender.set_map_epoch(map_epoch_);
  return sender;
}

absl::Status ClientImpl::CreateTensors(absl::Span<const TensorSpec> tensors) {
  SYNCLINE_RETURN_IF_ERROR(ValidateTensors(tensors));
  SYNCLINE_ASSIGN_OR_RETURN(const auto codecs, CodecsOf(job(), tensors));
  CreateTensorsRequest request;
  for (const TensorSpec& tensor : tensors) *request.add_tensors() = tensor;
  // The coordinator answers UNAVAILABLE while it waits for shards, for as long as they take.
  const auto reply = CallUntil<CreateTensorsReply>(
      absl::InfiniteFuture(), CoordinatorName(), *coordinator_,
      &Coordinator::Stub::CreateTensors, request, 2 * kCallTimeout);
  SYNCLINE_RETURN_IF_ERROR(reply.status());
  SYNCLINE_RETURN_IF_ERROR(ValidateShardMap(reply->map()));
  map_epoch_ = reply->map().epoch();
  ShardConnection::Queues queues;
  for (int i = 0; i < IoThreads(options_); ++i) {
    queues_.push_back(std::make_unique<grpc::CompletionQueue>());
    loops_.push_back(std::make_unique<CompletionLoop>(queues_.back().get()));
    queues.push_back(queues_.back().get());
  }
  for (const std::string& address : reply->map().shards()) {
    SYNCLINE_RETURN_IF_ERROR(ConnectShard(address, queues));
  }
  std::vector<size_t> message_bytes;
  for (const auto& shard : shards_) {
    message_bytes.push_back(shard->has_link() ? kLentBytes : options_.message_bytes);
  }
  router_ = std::make_unique<Router>(reply->map(), message_bytes);
  versions_ = std::make_unique<ChunkVersions>(router_->chunks().size());
  encoder_ = std::make_unique<GradientEncoder>(codecs, router_->chunks(), job().seed(), rank());
  for (const ChunkInfo& chunk : router_->chunks()) {
    pull_codecs_.push_back(codecs[chunk.tensor].pull);
  }
  return absl::OkStatus();
}

absl::Status ClientImpl::ConnectShard(const std::string& address,
                                      const ShardConnection::Queues& queues) {
  ShardConnection::Options options;
  options.address = address;
  options.security = options_.security;
  options.channels = options_.channels_per_shard;
  options.patience = options_.deadline;
  SYNCLINE_ASSIGN_OR_RETURN(auto connection, ShardConnection::Create(options, &calls_, queues));
  shards_.push_back(std::move(connection));
  if (!job().shared_memory()) return absl::OkStatus();
  SYNCLINE_ASSIGN_OR_RETURN(const auto channel, MakeChannel(address, options_.security));
  // Without a link tensors go through the network, so why there is none does not matter.
  auto link = LocalLink::Attach(*ParameterServer::NewStub(channel), MakeSender(), lent_, {});
  if (link.ok()) shards_.back()->SetLink(*std::move(link));
  return absl::OkStatus();
}

int ClientImpl::shards_on_this_host() const {
  return static_cast<int>(std::count_if(shards_.begin(), shards_.end(),
                                        [](const auto& shard) { return shard->has_link(); }));
}

absl::Status ClientImpl::CheckReady(size_t given) const {
  if (router_ == nullptr) return absl::FailedPreconditionError("call CreateTensors first");
  if (given == router_->tensors()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("memory for ", given, " tensors, the model has ",
                                                 router_->tensors()));
}

template <typename T>
std::vector<LocalLink::Chunk> ClientImpl::ChunksOf(absl::Span<const uint32_t> ids,
                                                   absl::Span<T* const> tensors) const {
  std::vector<LocalLink::Chunk> chunks;
  for (const uint32_t id : ids) {
    const ChunkInfo& info = router_->chunks()[id];
    chunks.push_back({tensors[info.tensor] + info.begin, info.elements * sizeof(float)});
  }
  return chunks;
}

void ClientImpl::SendPulls(Clock clock, bool observer, absl::Span<float* const> to,
                           TensorReady ready, PullDone done) {
  const absl::Status fit = CheckReady(to.size());
  if (!fit.ok()) return done(fit);
  const auto operation = std::make_shared<PullOperation>(router_.get(), to, std::move(ready),
                                                         std::move(done),
                                                         observer ? nullptr : versions_.get());
  PullRequest request;
  *request.mutable_sender() = MakeSender();
  request.set_clock(clock);
  request.set_observer(observer);
  for (const Router::Group& group : router_->pulls()) {
    request.mutable_chunks()->Assign(group.chunks.begin(), group.chunks.end());
    request.clear_codecs();
    bool coded = false;
    for (const uint32_t id : group.chunks) coded = coded || pull_codecs_[id] > CODEC_NONE;
    for (const uint32_t id : group.chunks) {
      if (coded) request.add_codecs(pull_codecs_[id]);
    }
    const auto make = [request, to = ChunksOf<float>(group.chunks, to)](
                          const auto&, const LocalLink* link) -> std::optional<grpc::ByteBuffer> {
      if (link == nullptr) return EncodeMessage(request);
      if (request.codecs_size() > 0) return std::nullopt;
      PullRequest placed = request;
      if (!to.empty()) {
        const auto places = link->Find(to);
        if (!places) return std::nullopt;
        placed.set_segment(places->segment);
        placed.mutable_offsets()->Assign(places->offsets.begin(), places->offsets.end());
      }
      return EncodeMessage(placed);
    };
    shards_[group.shard]->Send(
        Method::kPull, make,
        [operation, &group](auto reply) { operation->Receive(group, std::move(reply)); });
  }
}

ShardConnection::MakeRequest ClientImpl::PushRequestOf(const PushHeader& header,
                                                       const Router::Group& group,
                                                       absl::Span<const float* const> tensors) {
  const auto from = ChunksOf<const float>(group.chunks, tensors);
  std::vector<WireChunk> chunks(from.size());
  bool coded = false;
  for (size_t i = 0; i < from.size(); ++i) {
    const uint32_t id = group.chunks[i];
    chunks[i].chunk = id;
    chunks[i].version = (*versions_)[id];
    chunks[i].codec = encoder_->codec(id);
    coded = coded || chunks[i].codec > CODEC_NONE;
    if (!encoder_->remembers(id)) continue;
    chunks[i].data = encoder_->Encode(id, header.clock(), static_cast<const float*>(from[i].data));
  }
  return [this, header, chunks, coded, from](
             const std::shared_ptr<const void>& owner,
             const LocalLink* link) -> std::optional<grpc::ByteBuffer> {
    PushHeader head = header;
    std::vector<WireChunk> sent = chunks;
    if (link != nullptr) {
      const auto places = coded ? std::nullopt : link->Find(from);
      if (!places) return std::nullopt;
      head.set_segment(places->segment);
      for (size_t i = 0; i < sent.size(); ++i) sent[i].offset = places->offsets[i];
      return EncodePush(head, sent);
    }
    for (size_t i = 0; i < sent.size(); ++i) {
      if (!sent[i].data.empty()) continue;
      if (sent[i].codec <= CODEC_NONE) {
        sent[i].data = Fragments::Of(from[i].data, from[i].bytes, owner);
      } else {
        const auto* const gradient = static_cast<const float*>(from[i].data);
        sent[i].data = encoder_->Encode(sent[i].chunk, head.clock(), gradient);
      }
    }
    return EncodePush(head, sent);
  };
}

void ClientImpl::Push(Clock clock, absl::Span<const Gradient> gradients, Done done) {
  if (router_ == nullptr) return done(absl::FailedPreconditionError("call CreateTensors first"));
  std::vector<size_t> tensors;
  std::vector<const float*> data(router_->tensors());
  for (const Gradient& gradient : gradients) {
    if (gradient.tensor >= data.size() || data[gradient.tensor] != nullptr) {
      return done(absl::InvalidArgumentError(
          absl::StrCat("there is no tensor ", gradient.tensor, ", or it was given twice: the model "
                       "has tensors 0 to ", data.size() - 1)));
    }
    data[gradient.tensor] = gradient.data;
    tensors.push_back(gradient.tensor);
  }
  std::vector<Router::Group> groups = router_->GroupsOf(tensors);
  if (groups.empty()) return done(absl::OkStatus());
  const auto gather = std::make_shared<Gather>(groups.size(), std::move(done));
  PushHeader header;
  *header.mutable_sender() = MakeSender();
  header.set_clock(clock);
  for (const Router::Group& group : groups) {
    shards_[group.shard]->Send(Method::kPush, PushRequestOf(header, group, data),
                               [this, clock, gather](absl::StatusOr<grpc::ByteBuffer> buffer) {
                                 if (buffer.ok()) NoteSkipped(clock, *buffer);
                                 gather->PartDone(buffer.status());
                               });
  }
}

// A shard left out a gradient that is not finite (on_nonfinite: skip). In sync all of the
// contribution must then stay out, on all shards: Commit says 0 samples.
void ClientImpl::NoteSkipped(Clock clock, const grpc::ByteBuffer& buffer) {
  const auto reply = DecodeMessage<PushReply>(buffer);
  if (reply.ok() && reply->skipped_size() > 0) skipped_ = clock + 1;
}

void ClientImpl::SendCommit(size_t shard, const CommitRequest& request, CommitDone done) {
  const grpc::ByteBuffer bytes = EncodeMessage(request);
  shards_[shard]->Send(
      Method::kCommit, [bytes](const auto&, const LocalLink*) { return bytes; },
      [done = std::move(done)](absl::StatusOr<grpc::ByteBuffer> buffer) {
        if (!buffer.ok()) return done(buffer.status());
        const auto reply = DecodeMessage<CommitReply>(*buffer);
        if (!reply.ok()) return done(reply.status());
        done(reply->accepted());
      });
}

void ClientImpl::Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors,
                        CommitDone done) {
  if (router_ == nullptr) return done(absl::FailedPreconditionError("call CreateTensors first"));
  CommitRequest request;
  *request.mutable_sender() = MakeSender();
  request.set_clock(clock);
  const bool skipped = job().sync_mode() == SYNC && skipped_ == clock + 1;
  request.set_samples(skipped ? 0 : samples);
  request.mutable_contributors()->Assign(contributors.begin(), contributors.end());
  // With backup workers the lead shard decides who makes the step; the others are told only then.
  const bool ask_lead = job().backup_workers() > 0 && job().sync_mode() == SYNC;
  const auto to_rest = [this, request, ask_lead](CommitDone told) {
    const size_t first = ask_lead ? 1 : 0;
    if (first >= shards_.size()) return told(true);
    const auto gather = std::make_shared<Gather>(
        shards_.size() - first, [told = std::move(told)](absl::Status status) {
          if (!status.ok()) return told(status);
          told(true);
        });
    for (size_t shard = first; shard < shards_.size(); ++shard) {
      SendCommit(shard, request, [gather](auto accepted) { gather->PartDone(accepted.status()); });
    }
  };
  if (!ask_lead) return to_rest(std::move(done));
  SendCommit(0, request, [to_rest, done = std::move(done)](absl::StatusOr<bool> accepted) {
    if (!accepted.ok() || !*accepted) return done(std::move(accepted));
    to_rest(done);
  });
}

void ClientImpl::PushPull(Clock clock, absl::Span<const float* const> gradients, uint64_t samples,
                          const std::vector<Rank>& contributors, absl::Span<float* const> to,
                          PullDone done) {
  const absl::Status fit = CheckReady(gradients.size());
  if (!fit.ok()) return done(fit);
  const auto pull = [this, clock, destination = std::vector<float*>(to.begin(), to.end()),
                     done](const absl::StatusOr<bool>& accepted) {
    if (!accepted.ok()) return done(accepted.status());
    Pull(clock + 1, destination, nullptr, done);
  };
  std::vector<Gradient> all;
  for (size_t t = 0; t < gradients.size(); ++t) all.push_back({t, gradients[t]});
  Push(clock, all, [this, clock, samples, contributors, pull, done](absl::Status status) {
    if (!status.ok()) return done(status);
    Commit(clock, samples, contributors, pull);
  });
}

absl::StatusOr<LeaseReply> ClientImpl::Lease(uint64_t samples, Clock from_clock, Clock committed) {
  LeaseRequest request;
  request.set_rank(rank());
  request.set_incarnation(incarnation());
  request.set_samples(samples);
  request.set_from_clock(from_clock);
  request.set_committed(committed);
  return CallUntil<LeaseReply>(Deadline(), CoordinatorName(), *coordinator_,
                               &Coordinator::Stub::Lease, request, kCallTimeout);
}

absl::Status ClientImpl::Leave(Clock clock, const WorkerProgress& progress) {
  LeaveWorkerRequest request;
  request.set_rank(rank());
  request.set_incarnation(incarnation());
  request.set_clock(clock);
  *request.mutable_progress() = progress;
  return CallUntil<LeaveWorkerReply>(Deadline(), CoordinatorName(), *coordinator_,
                                     &Coordinator::Stub::LeaveWorker, request, kCallTimeout)
      .status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(options.coordinator, options.security));
  auto coordinator = Coordinator::NewStub(channel);
  JoinWorkerRequest request;
  request.set_name(options.name.empty() ? DefaultName() : options.name);
  request.set_protocol(kProtocolVersion);
  SYNCLINE_ASSIGN_OR_RETURN(
      auto joined,
      CallUntil<JoinWorkerReply>(absl::Now() + options.deadline,
                                 absl::StrCat("joining the coordinator at ", options.coordinator),
                                 *coordinator, &Coordinator::Stub::JoinWorker, request,
                                 kCallTimeout));
  return std::make_unique<ClientImpl>(options, std::move(coordinator), std::move(joined));
}

}  // namespace syncline
