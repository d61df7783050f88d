#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"
#include "server/policy/policy_factory.h"
#include "server/shard/shard_impl.h"

namespace syncline {

bool ShardImpl::CommitsWithPush(uint64_t map_epoch) const {
  if (!staged_) return true;
  absl::MutexLock lock(&mu_);
  // What is wrong with a push by a map before this one is its map.
  if (map_epoch < maps_.map().epoch()) return true;
  const bool next = maps_.changing() && maps_.next_map().epoch() == map_epoch;
  return (next ? maps_.next_map() : maps_.map()).shards_size() == 1;
}

GetMapReply ShardImpl::GetMap() const {
  absl::MutexLock lock(&mu_);
  return maps_.Describe();
}

absl::StatusOr<ChangeMapReply> ShardImpl::ChangeMap(const ChangeMapRequest& request) {
  ChangeMapReply reply;
  Calls calls;
  const bool names_a_map = request.phase() != ChangeMapRequest::DESCRIBE &&
                           request.phase() != ChangeMapRequest::TAKE_STOCK;
  if (names_a_map) {
    SYNCLINE_RETURN_IF_ERROR(ValidateShardMap(request.next().map()));
  }
  {
    // Nothing is pushed while owners change.
    absl::WriterMutexLock members(&members_mu_);
    absl::MutexLock lock(&mu_);
    const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !applying_; };
    mu_.Await(absl::Condition(&idle));
    SYNCLINE_ASSIGN_OR_RETURN(const bool accepted, ChangeMap(request, &calls));
    reply.set_accepted(accepted);
    reply.set_step(policy_->clock());
    reply.set_arriving(chunks_->arriving() + replication_.unmade());
    if (request.phase() == ChangeMapRequest::DESCRIBE) *reply.mutable_members() = policy_->Save();
    if (request.phase() == ChangeMapRequest::TAKE_STOCK) {
      for (auto& holding : chunks_->Holdings()) *reply.add_holdings() = std::move(holding);
    }
  }
  for (const auto& call : calls) call();
  TellArrived();
  Proceed();
  return reply;
}

absl::StatusOr<bool> ShardImpl::ChangeMap(const ChangeMapRequest& request, Calls* calls) {
  const MapVersion& next = request.next();
  SYNCLINE_RETURN_IF_ERROR(CheckOrder(request));
  // Somebody may have begun the step, or even made it.
  const bool past = staged_ && (policy_->clock() > next.from_step() || begun_ > next.from_step());
  const bool reached = !staged_ || policy_->clock() >= next.from_step();
  switch (request.phase()) {
    case ChangeMapRequest::PREPARE: {
      if (recovery_) return absl::UnavailableError(Recovering());
      if (past && maps_.placed() && !maps_.confirmed() && next.map().epoch() > maps_.map().epoch()) {
        return false;
      }
      SYNCLINE_RETURN_IF_ERROR(maps_.Prepare(next, request.shard()));
      if (!maps_.changing()) return true;
      if (!maps_.confirmed()) {
        chunks_->ExpectNone();
        chunks_->Expect(maps_.Arriving());
      }
      return true;
    }
    case ChangeMapRequest::CONFIRM: {
      const bool first = maps_.changing() && !maps_.confirmed();
      SYNCLINE_RETURN_IF_ERROR(maps_.Confirm(next));
      if (first && options_.map_changes) options_.map_changes(next, maps_.next_shard());
      if (first && staged_ && !maps_.placed()) BeginAt(next.from_step());
      GiveAway(calls);
      UpdateCopies(false);
      return true;
    }
    case ChangeMapRequest::FINISH:
      if (maps_.still()) return false;
      if (maps_.changing() && (chunks_->arriving() + replication_.unmade() > 0 || !reached)) {
        return false;
      }
      SYNCLINE_RETURN_IF_ERROR(maps_.Finish(next));
      chunks_->Release(maps_.map(), maps_.shard());
      UpdateCopies(false);
      return true;
    case ChangeMapRequest::TAKE_OVER:
      SYNCLINE_RETURN_IF_ERROR(TakeOver(next, request.shard(), calls));
      return true;
    case ChangeMapRequest::CANCEL:
      SYNCLINE_RETURN_IF_ERROR(maps_.Cancel(next));
      chunks_->ExpectNone();
      return true;
    case ChangeMapRequest::TAKE_STOCK:
      maps_.TakeStock();
      return true;
    case ChangeMapRequest::DESCRIBE:
      return true;
    default:
      return absl::InvalidArgumentError(absl::StrCat("phase is ", request.phase(),
                                                     ": it must be PREPARE, CONFIRM, FINISH, CANCEL, "
                                                     "DESCRIBE, TAKE_OVER or TAKE_STOCK"));
  }
}

// A call that its sender gave up may come after those it made since: a change that was taken back must not be
// prepared after all, nor the next one be taken back.
absl::Status ShardImpl::CheckOrder(const ChangeMapRequest& request) {
  if (request.phase() == ChangeMapRequest::DESCRIBE || request.number() == 0) return absl::OkStatus();
  const std::pair<uint64_t, uint64_t> call(request.generation(), request.number());
  if (call < last_map_call_) {
    return absl::AbortedError(absl::StrCat("call ", request.number(), " of a change of the map comes after call ",
                                           last_map_call_.second));
  }
  last_map_call_ = call;
  return absl::OkStatus();
}

// A shard that joins has no part in the steps before.
void ShardImpl::BeginAt(Clock step) {
  PolicyState state = policy_->Save();
  state.set_step(step);
  norms_.BeginAt(step);
  policy_ = *MakePolicy(options_.job, step);
  policy_->Load(state);
}

void ShardImpl::GiveAway(Calls* calls) {
  if (maps_.still() || !maps_.Leaves(policy_->clock())) return;
  maps_.SetLeft();
  std::vector<ChunkSnapshot> chunks = chunks_->Leave(maps_.Leaving());
  if (chunks.empty() || !options_.hand_over) return;
  calls->push_back([this, map = maps_.next_map(), chunks = std::move(chunks)] {
    options_.hand_over(map, chunks);
  });
}

absl::Status ShardImpl::Arrive(uint64_t epoch, const std::vector<ChunkSnapshot>& chunks) {
  {
    // No change begins or ends meanwhile. Nobody looks at a chunk before it has arrived.
    absl::ReaderMutexLock members(&members_mu_);
    {
      absl::MutexLock lock(&mu_);
      const bool next = maps_.changing() && maps_.next_map().epoch() == epoch;
      if (!next && maps_.map().epoch() != epoch) {
        return absl::FailedPreconditionError(
            absl::StrCat("chunks of map epoch ", epoch, ": this shard goes by epoch ",
                         maps_.map().epoch()));
      }
      if (maps_.still()) return absl::UnavailableError("a shard is lost: who gets its chunks is not known yet");
    }
    if (options_.map.replicas() > 1) {
      // Nobody pushes to a chunk before it is known who keeps copies of it.
      absl::MutexLock lock(&mu_);
      SYNCLINE_RETURN_IF_ERROR(chunks_->Arrive(epoch, chunks));
      UpdateCopies(false);
    } else {
      SYNCLINE_RETURN_IF_ERROR(chunks_->Arrive(epoch, chunks));
    }
  }
  if (chunks_->arriving() == 0) {
    TellArrived();
    Proceed();
  }
  return absl::OkStatus();
}

bool ShardImpl::WhenArrived(std::function<void(absl::Status)> then) {
  absl::MutexLock lock(&mu_);
  if (closed_ || chunks_->arriving() == 0) return false;
  awaiting_chunks_.push_back(std::move(then));
  return true;
}

void ShardImpl::TellArrived() {
  std::vector<std::function<void(absl::Status)>> waiting;
  {
    absl::MutexLock lock(&mu_);
    if (chunks_->arriving() == 0) waiting.swap(awaiting_chunks_);
  }
  for (const auto& then : waiting) then(absl::OkStatus());
}

}  // namespace syncline
