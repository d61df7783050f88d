#include "server/service/tensor_calls.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/codec/row_codec.h"
#include "common/status/status_macros.h"
#include "common/table/packed_keys.h"
#include "common/tensor/buffer.h"
#include "common/wire/message.h"
#include "server/service/lent_rows.h"
#include "server/service/request_checks.h"

namespace syncline {
namespace {

// Who speaks, and that it may speak on this link.
absl::Status CheckPeer(const Sender& sender, const WorkerLink* link) {
  SYNCLINE_RETURN_IF_ERROR(CheckSender(sender));
  return link == nullptr ? absl::OkStatus() : link->CheckSender(sender);
}

// `rows`: how many they are, or 0 if it is no slot of a table.
WireChunk EncodeChunk(const PulledChunk& pulled, Codec codec, size_t rows) {
  if (codec <= CODEC_NONE || pulled.data.empty()) return {pulled.chunk, pulled.version, pulled.data};
  const size_t elements = pulled.data.size() / sizeof(float);
  // A chunk's weights lie in one piece (server/store/dense_chunk), and so do rows that were read.
  const auto* const weights = reinterpret_cast<const float*>(pulled.data.pieces()[0].data);
  const uint64_t seed = pulled.version << 32 ^ pulled.chunk;
  const size_t width = rows > 0 ? elements / rows : elements;
  Buffer encoded = Buffer::Allocate(std::max<size_t>(rows, 1) * EncodedRowBytes(codec, width));
  EncodeRows(codec, weights, std::max<size_t>(rows, 1), width, seed, encoded.data());
  return {pulled.chunk, pulled.version, encoded.Share(), 0, codec};
}

// By chunk, or one for all.
std::vector<Codec> CodecsOf(const PullRequest& pull) {
  std::vector<Codec> codecs;
  for (const int codec : pull.codecs()) codecs.push_back(static_cast<Codec>(codec));
  if (codecs.empty()) codecs.push_back(pull.codec());
  return codecs;
}

absl::StatusOr<Fragments> Unpacked(const Fragments& keys, uint32_t chunk, const Shard& shard) {
  SYNCLINE_ASSIGN_OR_RETURN(const TableSlot of, shard.SlotOf(chunk));
  SYNCLINE_ASSIGN_OR_RETURN(const Buffer unpacked, UnpackKeys(keys, of.slot, of.slots));
  return unpacked.Share();
}

// By chunk. Chunks without keys and keys without chunks are left to whoever checks that.
absl::StatusOr<std::vector<Fragments>> KeysOf(const PullRequest& pull, const Shard& shard) {
  std::vector<Fragments> keys(pull.keys_size());
  for (int i = 0; pull.keys_size() == pull.chunks_size() && i < pull.keys_size(); ++i) {
    const std::string& packed = pull.keys(i);
    if (packed.empty()) continue;
    SYNCLINE_ASSIGN_OR_RETURN(keys[i], Unpacked(Fragments::Of(packed.data(), packed.size()), pull.chunks(i), shard));
  }
  return keys;
}

absl::Status NoLink() {
  return absl::InvalidArgumentError(
      "segment: places in lent memory mean something on a local link only; send the tensors");
}

}  // namespace

void TensorCalls::Push(const grpc::ByteBuffer& request, std::shared_ptr<WorkerLink> link, Done done) {
  std::shared_ptr<Shard> shard;
  const auto pushed = [&]() -> absl::StatusOr<PushReply> {
    SYNCLINE_ASSIGN_OR_RETURN(const DecodedPush push, DecodePush(request));
    if (push.head.has_commit() || push.head.has_pull()) {
      return absl::InvalidArgumentError("commit and pull come with a push in PushPull only");
    }
    SYNCLINE_RETURN_IF_ERROR(CheckPeer(push.head.header().sender(), link.get()));
    SYNCLINE_ASSIGN_OR_RETURN(shard, host_->shard());
    SYNCLINE_ASSIGN_OR_RETURN(const Shard::PushResult result, Push(push, shard.get(), link.get()));
    PushReply reply;
    reply.mutable_skipped()->Assign(result.skipped.begin(), result.skipped.end());
    reply.set_window(options_.receive_bytes / result.live_workers);
    return reply;
  };
  const absl::StatusOr<PushReply> reply = pushed();
  if (!reply.ok()) {
    return WhenArrived(shard, reply.status(), done, [this, request, link, done] { Push(request, link, done); });
  }
  shard->WhenSafe([done = std::move(done), reply = *reply](const absl::Status& safe) {
    if (!safe.ok()) return done(safe);
    done(EncodeMessage(reply));
  });
}

absl::StatusOr<Shard::PushResult> TensorCalls::Push(const DecodedPush& push, Shard* shard,
                                                    WorkerLink* link) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto gradients, GradientsOf(push, *shard, link));
  const PushHeader& header = push.head.header();
  return shard->Push(header.sender(), header.clock(), gradients);
}

absl::StatusOr<std::vector<ChunkGradient>> TensorCalls::GradientsOf(const DecodedPush& push,
                                                                    const Shard& shard,
                                                                    WorkerLink* link) {
  if (push.head.header().rows_size() > 0) {
    SYNCLINE_ASSIGN_OR_RETURN(auto lent, ReadLentGradients(push.head.header(), push.chunks, shard,
                                                           options_.parallel_for, link));
    for (const ChunkGradient& gradient : lent) shared_bytes_ += gradient.data.size();
    return lent;
  }
  const uint64_t segment = push.head.header().segment();
  if (segment != 0 && link == nullptr) return NoLink();
  std::vector<ChunkGradient> gradients;
  gradients.reserve(push.chunks.size());
  for (const WireChunk& c : push.chunks) {
    gradients.push_back({c.chunk, c.version, c.data, c.codec, c.keys});
    if (segment == 0) {
      if (c.keys.empty()) continue;
      SYNCLINE_ASSIGN_OR_RETURN(gradients.back().keys, Unpacked(c.keys, c.chunk, shard));
      continue;
    }
    if (!c.keys.empty()) {
      return absl::InvalidArgumentError("keys: of rows in lent memory, header.rows says where they are");
    }
    SYNCLINE_ASSIGN_OR_RETURN(const size_t elements, shard.Elements(c.chunk));
    const size_t bytes = elements * sizeof(float);
    SYNCLINE_ASSIGN_OR_RETURN(gradients.back().data, link->Read(segment, c.offset, bytes));
    gradients.back().codec = CODEC_NONE;
    shared_bytes_ += bytes;
  }
  return gradients;
}

absl::StatusOr<bool> TensorCalls::CommitTo(Shard* shard, const CommitRequest& commit) {
  last_commit_ = absl::ToUnixNanos(SteadyNow());
  return shard->Commit(commit.sender(), commit.clock(), commit.samples(),
                       {commit.contributors().begin(), commit.contributors().end()});
}

absl::Duration TensorCalls::SinceLastCommit() const { return SteadyNow() - absl::FromUnixNanos(last_commit_); }

absl::StatusOr<grpc::ByteBuffer> TensorCalls::Commit(const grpc::ByteBuffer& request,
                                                     WorkerLink* link) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto commit, DecodeMessage<CommitRequest>(request));
  SYNCLINE_RETURN_IF_ERROR(CheckPeer(commit.sender(), link));
  SYNCLINE_ASSIGN_OR_RETURN(const auto shard, host_->shard());
  CommitReply reply;
  SYNCLINE_ASSIGN_OR_RETURN(const bool accepted, CommitTo(shard.get(), commit));
  reply.set_accepted(accepted);
  return EncodeMessage(reply);
}

absl::Status TensorCalls::CheckPull(const PullRequest& pull, const WorkerLink* link) const {
  SYNCLINE_RETURN_IF_ERROR(pull.observer() ? CheckProtocol(pull.sender().protocol())
                                           : CheckSender(pull.sender()));
  if (link != nullptr) SYNCLINE_RETURN_IF_ERROR(link->CheckSender(pull.sender()));
  if (pull.codecs_size() != 0 && pull.codecs_size() != pull.chunks_size()) {
    return absl::InvalidArgumentError(absl::StrCat("codecs: ", pull.codecs_size(), " for ",
                                                   pull.chunks_size(),
                                                   " chunks; give one for each, or none"));
  }
  bool known = Codec_IsValid(pull.codec()) && !NeedsFeedback(pull.codec());
  for (const int codec : pull.codecs()) {
    known = known && Codec_IsValid(codec) && !NeedsFeedback(static_cast<Codec>(codec));
  }
  if (!known) {
    return absl::InvalidArgumentError(
        "codec: weights are sent as none, fp16, bf16 or int8 (1 to 4), and nothing else");
  }
  if (pull.segment() == 0) return absl::OkStatus();
  if (link == nullptr) return NoLink();
  if (pull.keys_size() != 0) {
    return absl::InvalidArgumentError("keys: of rows that go to lent memory, `rows` says where they are");
  }
  if (pull.offsets_size() == pull.chunks_size() && pull.chunks_size() > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("offsets: ", pull.offsets_size(), " for ", pull.chunks_size(),
                   " chunks; a pull to lent memory needs one for each chunk, and a chunk"));
}

std::function<void()> TensorCalls::Pull(const grpc::ByteBuffer& request,
                                        std::shared_ptr<WorkerLink> link, Done done) {
  auto pull = DecodeMessage<PullRequest>(request);
  if (!pull.ok()) {
    done(pull.status());
    return nullptr;
  }
  return Pull(*std::move(pull), PullReply(), std::move(link), std::move(done));
}

std::function<void()> TensorCalls::PushPull(const grpc::ByteBuffer& request,
                                            std::shared_ptr<WorkerLink> link, Done done) {
  // All but the pull, which is answered later.
  PullRequest pull;
  std::shared_ptr<Shard> shard;
  const auto begun = [&]() -> absl::StatusOr<PullReply> {
    SYNCLINE_ASSIGN_OR_RETURN(const DecodedPush push, DecodePush(request));
    const Sender& sender = push.head.header().sender();
    SYNCLINE_RETURN_IF_ERROR(CheckPeer(sender, link.get()));
    if (!push.head.has_commit() || !push.head.has_pull()) {
      return absl::InvalidArgumentError("commit, pull: PushPull needs both; or use Push and Pull");
    }
    pull = push.head.pull();
    *pull.mutable_sender() = sender;
    SYNCLINE_RETURN_IF_ERROR(CheckPull(pull, link.get()));
    SYNCLINE_ASSIGN_OR_RETURN(shard, host_->shard());
    PullReply head;
    CommitRequest commit = push.head.commit();
    *commit.mutable_sender() = sender;
    if (!push.chunks.empty() && !shard->CommitsWithPush(sender.map_epoch())) {
      return absl::InvalidArgumentError(
          "chunks: in sync with several shards, a commit goes out when all of them have acknowledged "
          "the pushes; push with Push first");
    }
    if (!push.chunks.empty()) {
      SYNCLINE_ASSIGN_OR_RETURN(const auto result, Push(push, shard.get(), link.get()));
      head.mutable_skipped()->Assign(result.skipped.begin(), result.skipped.end());
      // In sync all of the contribution stays out then; elsewhere the number says nothing.
      if (!result.skipped.empty()) commit.set_samples(0);
    }
    SYNCLINE_ASSIGN_OR_RETURN(const bool accepted, CommitTo(shard.get(), commit));
    head.set_accepted(accepted);
    return head;
  };
  auto head = begun();
  if (head.ok()) {
    // The pull may be answered before what came along with it is safe.
    const auto when_safe = [shard, done](absl::StatusOr<grpc::ByteBuffer> reply) {
      shard->WhenSafe([done, reply = std::move(reply)](const absl::Status& safe) {
        done(safe.ok() ? reply : safe);
      });
    };
    return Pull(pull, *std::move(head), std::move(link), when_safe);
  }
  WhenArrived(shard, head.status(), done, [this, request, link, done] { PushPull(request, link, done); });
  return nullptr;
}

std::function<void()> TensorCalls::Pull(PullRequest pull, PullReply head,
                                        std::shared_ptr<WorkerLink> link, Done done) {
  const auto failed = [&done](const absl::Status& status) {
    done(status);
    return nullptr;
  };
  const absl::Status right = CheckPull(pull, link.get());
  if (!right.ok()) return failed(right);
  const auto shard = host_->shard();
  if (!shard.ok()) return failed(shard.status());
  Place place{std::move(link),
              pull.segment(),
              {pull.offsets().begin(), pull.offsets().end()},
              CodecsOf(pull)};
  Shard::PullSpec spec;
  spec.clock = pull.clock();
  spec.chunks.assign(pull.chunks().begin(), pull.chunks().end());
  spec.observer = pull.observer();
  spec.copies = pull.copies();
  spec.only_waits = pull.chunks().empty();
  spec.with_state = pull.with_state();
  if (pull.life() == (*shard)->life()) spec.held.assign(pull.held().begin(), pull.held().end());
  const Sender sender = pull.sender();
  if (pull.rows_size() > 0) {
    auto lent = FindLentTargets(pull, **shard, place.link.get());
    if (!lent.ok()) return failed(lent.status());
    place.rows = true;
    spec.keys = std::move(lent->keys);
    spec.rows_to = std::move(lent->to);
    place.row_bytes = lent->bytes;
  } else {
    auto keys = KeysOf(pull, **shard);
    if (!keys.ok()) return failed(keys.status());
    for (const Fragments& of : *keys) place.counts.push_back(of.size() / sizeof(uint64_t));
    spec.keys = *std::move(keys);
  }
  head.set_life((*shard)->life());
  const Shard::PullTicket ticket = (*shard)->Pull(
      sender, std::move(spec),
      [this, done, head = std::move(head),
       place = std::move(place)](absl::StatusOr<Shard::PullResult> result) {
        if (!result.ok()) return done(result.status());
        done(ReplyTo(*result, head, place));
      });
  if (ticket == 0) return nullptr;
  return [shard = *shard, ticket] { shard->CancelPull(ticket); };
}

absl::StatusOr<grpc::ByteBuffer> TensorCalls::ReplyTo(const Shard::PullResult& result,
                                                      PullReply head, const Place& place) {
  head.set_clock(result.clock);
  head.set_verdict(result.verdict);
  head.set_state_wanted(result.state_wanted);
  head.set_map_epoch(result.map_epoch);
  head.set_placed((place.segment != 0 || place.rows) && result.verdict == PullReply::GRANTED);
  std::vector<WireChunk> chunks(result.chunks.size());
  std::vector<WorkerLink::Part> parts;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const PulledChunk& c = result.chunks[i];
    chunks[i].chunk = c.chunk;
    chunks[i].version = c.version;
    chunks[i].unchanged = c.unchanged;
    if (c.unchanged || place.rows) continue;
    if (!head.placed()) {
      chunks[i] = EncodeChunk(c, place.codecs[i % place.codecs.size()], place.counts.empty() ? 0 : place.counts[i]);
      continue;
    }
    parts.push_back({place.offsets[i], c.data});
    shared_bytes_ += c.data.size();
  }
  if (place.rows && head.placed()) shared_bytes_ += place.row_bytes;
  if (!parts.empty()) {
    SYNCLINE_RETURN_IF_ERROR(place.link->Write(place.segment, parts, options_.parallel_for));
  }
  return EncodePullReply(head, chunks);
}

void TensorCalls::ServeLocal(const std::shared_ptr<WorkerLink>& link, const LocalFrame& call,
                             absl::string_view body) {
  const auto reply = [link, call](const absl::StatusOr<grpc::ByteBuffer>& result) {
    link->Reply(call, result.status(), result.ok() ? ToString(*result) : "");
  };
  const grpc::ByteBuffer request = ToByteBuffer(body);
  switch (call.kind) {
    case LocalFrame::kPush:
      return Push(request, link, reply);
    case LocalFrame::kCommit:
      return reply(Commit(request, link.get()));
    case LocalFrame::kHandOver:
      return reply(HandOverLent(body, link.get()));
    case LocalFrame::kPull:
      if (auto give_up = Pull(request, link, reply)) link->OnClose(call, std::move(give_up));
      return;
    case LocalFrame::kPushPull:
      if (auto give_up = PushPull(request, link, reply)) link->OnClose(call, std::move(give_up));
      return;
    default:
      return reply(absl::InvalidArgumentError(absl::StrCat("there is no call ", call.kind)));
  }
}

}  // namespace syncline
