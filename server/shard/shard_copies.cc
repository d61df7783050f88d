#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"
#include "server/shard/shard_impl.h"

namespace syncline {
namespace {

constexpr double kMessageBytes = 4 << 20;
// What a step changes of a table's slot is little as a rule; all of it may be much.
constexpr double kChangedSlot = 1.0 / 256;
constexpr double kWholeSlot = 0.25;

}  // namespace

Replication::Share ShardImpl::ShareOf(const ShardMap& map) {
  std::vector<bool> slots;
  for (const ChunkInfo& chunk : Chunks(map)) slots.push_back(chunk.rows);
  return [slots = std::move(slots), dense = static_cast<double>(map.chunk_bytes()) / kMessageBytes](uint32_t chunk,
                                                                                                 bool whole) {
    if (!slots[chunk]) return dense;
    return whole ? kWholeSlot : kChangedSlot;
  };
}

// While a chunk is on its way to another owner, this one's copies stay as they are until all is there.
void ShardImpl::UpdateCopies(bool made) {
  if (options_.map.replicas() <= 1) return;
  Replication::Copies copies;
  const auto add = [&](const ShardMap& map, uint32_t shard) {
    for (uint32_t chunk = 0; chunk < static_cast<uint32_t>(map.owner_size()); ++chunk) {
      if (map.owner(static_cast<int>(chunk)) != shard || !chunks_->CheckOwned(chunk, true).ok()) continue;
      for (const uint32_t backup : Backups(map, chunk)) {
        copies[map.shards(static_cast<int>(backup))].insert(chunk);
      }
    }
  };
  if (maps_.placed()) add(maps_.map(), maps_.shard());
  if (maps_.confirmed()) add(maps_.next_map(), maps_.next_shard());
  replication_.SetCopies(copies, made);
}

void ShardImpl::Replicate() {
  if (!options_.replicate) return;
  while (true) {
    std::optional<Replication::Message> message;
    std::vector<ChunkSnapshot> chunks;
    uint64_t epoch;
    {
      absl::MutexLock lock(&mu_);
      // While a step is made, a chunk may have the state of this one and the weights of the one before. Whoever
      // makes it comes here next.
      if (applying_) return;
      message = replication_.Next();
      if (!message) return;
      epoch = maps_.newest_epoch();
      if (staged_) chunks = CopyFor(epoch, &*message);
    }
    if (!staged_) chunks = CopyFor(epoch, &*message);
    options_.replicate(message->to, epoch, std::move(chunks),
                       [this, message = *message](const absl::StatusOr<std::vector<uint32_t>>& wanting) {
                         replication_.Sent(message, wanting.ok(), wanting.ok() ? *wanting : std::vector<uint32_t>());
                         Proceed();
                       });
  }
}

std::vector<ChunkSnapshot> ShardImpl::CopyFor(uint64_t epoch, Replication::Message* message) const {
  std::vector<uint32_t> chunks;
  std::vector<std::optional<CopyState>> held;
  for (const Replication::Item& item : message->chunks) {
    chunks.push_back(item.chunk);
    held.push_back(item.held);
  }
  std::vector<ChunkSnapshot> snapshots = chunks_->Copy(chunks, held);
  auto snapshot = snapshots.begin();
  for (Replication::Item& item : message->chunks) {
    if (snapshot == snapshots.end() || snapshot->chunk != item.chunk) continue;
    item.sent = CopyState{epoch, snapshot->version};
    ++snapshot;
  }
  return snapshots;
}

void ShardImpl::WhenSafe(std::function<void(absl::Status)> done) {
  absl::Status status;
  {
    absl::MutexLock lock(&mu_);
    const Replication::Moment now = replication_.now();
    if (closed_) {
      status = ShardClosing();
    } else if (!staged_ && !replication_.Safe(now)) {
      unsafe_.emplace(now, std::move(done));
      return;
    }
  }
  done(status);
}

void ShardImpl::AnswerSafe(Calls* calls) {
  while (!unsafe_.empty() && replication_.Safe(unsafe_.begin()->first)) {
    calls->push_back([done = std::move(unsafe_.begin()->second)] { done(absl::OkStatus()); });
    unsafe_.erase(unsafe_.begin());
  }
}

bool ShardImpl::IsSafe(Rank rank) const {
  if (!staged_ || options_.map.replicas() <= 1) return true;
  const ClockTable::Member* const member = policy_->members().Find(rank);
  const bool made = member == nullptr || member->clock <= policy_->clock();
  return made && !recovery_ && replication_.Safe();
}

absl::StatusOr<std::vector<uint32_t>> ShardImpl::Keep(uint64_t epoch, const std::vector<ChunkSnapshot>& chunks) {
  // No shard is given up meanwhile: from then on what it sends is refused.
  absl::ReaderMutexLock members(&members_mu_);
  {
    absl::MutexLock lock(&mu_);
    const bool next = maps_.changing() && epoch == maps_.next_map().epoch();
    if (epoch != maps_.map().epoch() && !next) {
      const std::string what = absl::StrCat("copies by map epoch ", epoch, ": this shard goes by epoch ",
                                            maps_.map().epoch());
      if (epoch > maps_.map().epoch()) return absl::UnavailableError(what);
      return absl::FailedPreconditionError(what);
    }
    for (const ChunkSnapshot& chunk : chunks) {
      SYNCLINE_RETURN_IF_ERROR(chunks_->Elements(chunk.chunk).status());
      // Until a change is made who kept a copy goes on doing so.
      if (IsBackup(maps_.map(), chunk.chunk, maps_.shard()) ||
          (maps_.changing() && IsBackup(maps_.next_map(), chunk.chunk, maps_.next_shard()))) {
        continue;
      }
      return absl::FailedPreconditionError(absl::StrCat("by map epoch ", epoch, " no copy of chunk ",
                                                        chunk.chunk, " is kept here"));
    }
  }
  return chunks_->Keep(epoch, chunks);
}

// In bounded and async a push is acknowledged when all copies have it, but for those on a shard that was given up, which
// may not know of that yet. In sync copies are for takeovers alone: they may be a step behind, or ahead.
bool ShardImpl::ReadsCopy(uint32_t chunk) const {
  if (staged_ || !maps_.KeepsCopy(chunk) || !chunks_->HasCopy(chunk)) return false;
  return options_.counted_on == nullptr || options_.counted_on(maps_.newest_epoch());
}

absl::Status ShardImpl::TakeOver(const MapVersion& next, uint32_t shard, Calls* calls) {
  if (maps_.Finished(next)) return absl::OkStatus();
  if (recovery_) return absl::FailedPreconditionError(Recovering());
  chunks_->ExpectNone();
  std::vector<uint32_t> taken;
  for (const uint32_t chunk : OwnedChunks(next.map(), shard)) {
    if (!chunks_->CheckOwned(chunk).ok()) taken.push_back(chunk);
  }
  SYNCLINE_ASSIGN_OR_RETURN(auto recovery, PlanRecovery(taken));
  SYNCLINE_RETURN_IF_ERROR(maps_.TakeOver(next, shard));
  recovery_ = std::move(recovery);
  chunks_->TakeOver(taken);
  chunks_->Release(maps_.map(), maps_.shard());
  UpdateCopies(false);
  replication_.Changed(taken);
  if (options_.map_changes) options_.map_changes(next, shard);
  // Norms that the lost shard would have told are asked of who has its chunks now.
  const Clock step = policy_->clock();
  if (recovery_ && recovery_->scale) {
    norms_.SetScale(step, *recovery_->scale);
  } else if (!taken.empty()) {
    norms_.Restart(step);
  }
  if (norms_.Begun(step) && !norms_.Scale(step) && options_.norms_wanted) {
    calls->push_back([this, step] { options_.norms_wanted(step); });
  }
  return absl::OkStatus();
}

// Of a chunk that was on its way as well: who gave it away, and takes it back, has it as a copy would.
// The lost shard may have been a step behind this one, or ahead: nobody pulls a step before the copies
// have it. What workers pushed to it of a step that the copies lack is nowhere but with them.
absl::StatusOr<std::optional<ShardImpl::Recovery>> ShardImpl::PlanRecovery(
    const std::vector<uint32_t>& taken) const {
  const Clock step = policy_->clock();
  Clock lowest = step;
  std::optional<float> scale;
  for (const uint32_t chunk : taken) {
    SYNCLINE_ASSIGN_OR_RETURN(const ChunkTable::Held copied, chunks_->HeldHere(chunk));
    lowest = std::min(lowest, copied.steps);
    if (copied.steps > step) scale = copied.gradient_scale;
    // Its norm cannot be worked out any more: its gradient is in the weights.
    if (copied.steps > step && !scale && options_.job.optimizer().clip_norm() > 0) {
      return absl::FailedPreconditionError(absl::StrCat("the copy of chunk ", chunk, " does not say what the gradient "
                                                        "of step ", step, " was scaled by: is it of an older version?"));
    }
    if (!staged_ || (copied.steps + 1 >= step && copied.steps <= step + 1)) continue;
    return absl::FailedPreconditionError(absl::StrCat("the copy of chunk ", chunk, " is of step ",
                                                      copied.steps, ", this shard collects step ", step));
  }
  if (!staged_ || taken.empty()) return std::optional<Recovery>();
  Recovery recovery{taken, std::nullopt, scale, {}};
  if (lowest < step) {
    if (!last_made_ || last_made_->step.step != lowest) {
      return absl::FailedPreconditionError(
          absl::StrCat("copies are of step ", lowest, ", which was not made here"));
    }
    recovery.redo = last_made_;
  }
  const auto contributions = recovery.redo ? recovery.redo->step.contributions : policy_->Collected();
  for (const auto& contribution : contributions) {
    if (contribution.samples == 0) continue;
    recovery.awaited[contribution.rank] = lowest;
    if (policy_->HasCommitted(contribution.rank, lowest)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("what worker rank ", contribution.rank, " pushed for step ", lowest,
                     " was lost with a shard, and the worker is gone too"));
  }
  return std::optional<Recovery>(std::move(recovery));
}

absl::Status ShardImpl::CommitAgain(const Sender& sender, Clock clock) {
  if (!recovery_) return absl::OkStatus();
  const auto awaited = recovery_->awaited.find(sender.rank());
  if (awaited == recovery_->awaited.end() || clock < awaited->second) return absl::OkStatus();
  if (clock == awaited->second) {
    SYNCLINE_RETURN_IF_ERROR(
        AskAgain(chunks_->CheckStaged(recovery_->chunks, sender.rank(), sender.incarnation(), clock)));
  }
  recovery_->awaited.erase(awaited);
  return absl::OkStatus();
}

// Lets go of mu_ as ApplyReadySteps does. False while somebody is awaited.
bool ShardImpl::Recovered() {
  if (!recovery_) return true;
  if (!recovery_->awaited.empty()) return false;
  if (recovery_->redo) {
    const MadeStep redo = *recovery_->redo;
    absl::Status not_made;
    applying_ = true;
    mu_.Unlock();
    not_made = chunks_->ApplyStep(redo.step, redo.scale);
    mu_.Lock();
    applying_ = false;
    not_made_ = not_made;
    if (!not_made.ok()) return false;
    replication_.Changed(recovery_->chunks);
  }
  recovery_.reset();
  return true;
}

std::string ShardImpl::Recovering() const {
  if (!recovery_) return "";
  std::vector<Rank> ranks;
  for (const auto& [rank, clock] : recovery_->awaited) ranks.push_back(rank);
  return absl::StrCat("chunks of a lost shard were taken over: waiting for what rank ",
                      absl::StrJoin(ranks, ", "), " pushed of them");
}

}  // namespace syncline
