#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/job_changes.h"
#include "common/optimizer/local_steps.h"
#include "common/status/status_macros.h"
#include "server/coordinator/coordinator_impl.h"

namespace syncline {

namespace {

// Whoever asked does so again: the disk may have room by then.
absl::Status AskAgain(const absl::Status& kept) {
  return kept.ok() ? kept : absl::UnavailableError(absl::StrCat("--metadata: ", kept.message()));
}

}  // namespace

absl::Status CoordinatorImpl::Keep(const MetadataRecord& record, bool durable) {
  if (options_.metadata == nullptr) return absl::OkStatus();
  return AskAgain(options_.metadata->Append(record, durable));
}

absl::Status CoordinatorImpl::KeepShards() {
  MetadataRecord record;
  for (const Registered& shard : registered_) {
    MetadataRecord::Shard* kept = record.mutable_shards()->add_shards();
    kept->set_address(shard.address);
    kept->set_leaving(shard.leaving);
    kept->set_retired(shard.retired);
    kept->set_life(shard.life);
  }
  return Keep(record, true);
}

absl::Status CoordinatorImpl::KeepMap(const ShardMap& map, uint64_t from_step) {
  MetadataRecord record;
  *record.mutable_map()->mutable_map() = map;
  record.mutable_map()->set_from_step(from_step);
  return Keep(record, true);
}

absl::Status CoordinatorImpl::DecideOn(const MapVersion& next) {
  MetadataRecord record;
  *record.mutable_change() = next;
  if (options_.metadata != nullptr) SYNCLINE_RETURN_IF_ERROR(AskAgain(options_.metadata->Decide(record)));
  pending_ = next;
  return absl::OkStatus();
}

absl::StatusOr<LeaseReply> CoordinatorImpl::Do(const LeaseEvent& event) {
  MetadataRecord record;
  *record.mutable_lease_event() = event;
  // A lost worker's leases are given back whatever the disk says: its samples are nobody's otherwise.
  const bool durable = event.call() == LeaseEvent::LEASE || event.call() == LeaseEvent::JOIN ||
                       event.call() == LeaseEvent::LOST;
  const absl::Status kept = Keep(record, durable);
  if (!kept.ok() && event.call() != LeaseEvent::LOST) return kept;
  return Apply(event);
}

LeaseReply CoordinatorImpl::Apply(const LeaseEvent& event) {
  const Rank rank = event.rank();
  switch (event.call()) {
    case LeaseEvent::JOIN:
      leases_->Join(rank, event.number(), event.count());
      committed_[rank] = 0;
      break;
    case LeaseEvent::LEASE:
      return leases_->Lease(rank, event.number());
    case LeaseEvent::COMMITTED:
      leases_->Committed(rank, event.number());
      committed_[rank] = event.number();
      break;
    case LeaseEvent::LOST:
      leases_->Lost(rank, event.number(), event.flag());
      break;
    case LeaseEvent::SET_PROCESSES:
      leases_->SetProcesses(rank, event.count());
      break;
    case LeaseEvent::HOLD:
      leases_->Hold(event.flag());
      break;
    default:
      break;
  }
  return LeaseReply();
}

void CoordinatorImpl::NoteCommitted(Rank rank, Clock clock) {
  if (clock <= committed_[rank]) return;
  LeaseEvent event;
  event.set_call(LeaseEvent::COMMITTED);
  event.set_rank(rank);
  event.set_number(clock);
  Do(event).IgnoreError();  // the worker says it again
}

void CoordinatorImpl::Hold(bool hold) {
  LeaseEvent event;
  event.set_call(LeaseEvent::HOLD);
  event.set_flag(hold);
  // What was planned in between would be planned anew otherwise, which only the next one could notice.
  if (!Do(event).ok()) Apply(event);
}

void CoordinatorImpl::MakeLeases(uint64_t samples) {
  DataLeases::Options options;
  options.mode = job_.sync_mode();
  options.on_loss = job_.on_worker_loss();
  options.samples = samples;
  options.batch_size = SamplesPerExchange(job_);
  options.epochs = job_.epochs();
  options.max_steps = job_.max_steps();
  options.horizon = options_.lease_steps;
  leases_ = std::make_unique<DataLeases>(options);
  if (restored_) leases_->Restore(*restored_);
  for (const Rank rank : members_.Live()) {
    leases_->Join(rank, first_step_, SharesOf(rank));
  }
}

void CoordinatorImpl::Replay(const MetadataRecord& record) {
  switch (record.what_case()) {
    case MetadataRecord::kShards:
      registered_.clear();
      for (const auto& shard : record.shards().shards()) {
        registered_.push_back({shard.address(), shard.leaving(), shard.retired(), shard.life()});
        registered_.back().last_seen = FirstHeardBy();
      }
      break;
    case MetadataRecord::kMap:
      map_ = record.map().map();
      pending_.reset();
      break;
    case MetadataRecord::kChange:
      pending_ = record.change();
      break;
    case MetadataRecord::kJoined: {
      const auto& joined = record.joined();
      members_.Rejoin(joined.rank(), joined.incarnation(), joined.name(), FirstHeardBy());
      members_.SetProcesses(joined.rank(), joined.processes());
      members_.SetStandIn(joined.rank(), joined.stand_in());
      if (joined.has_team()) members_.SetTeam(joined.rank(), joined.team());
      started_ = started_ || members_.LiveProcesses() >= job_.workers();
      break;
    }
    case MetadataRecord::kRemoved: {
      const WorkerProgress& progress = record.removed().progress();
      members_.Report(record.removed().rank(), progress);
      members_.Remove(record.removed().rank());
      if (progress.has_test_accuracy()) test_accuracy_ = progress.test_accuracy();
      if (progress.has_test_auc()) test_auc_ = progress.test_auc();
      if (progress.has_test_loss()) test_loss_ = progress.test_loss();
      break;
    }
    case MetadataRecord::kLeasesMade:
      samples_ = record.leases_made().samples();
      started_ = true;
      MakeLeases(samples_);
      break;
    case MetadataRecord::kLeaseEvent:
      if (record.lease_event().call() == LeaseEvent::SET_PROCESSES) {
        members_.SetProcesses(record.lease_event().rank(), record.lease_event().count());
      }
      Apply(record.lease_event());
      break;
    case MetadataRecord::kCheckpoint:
      last_checkpoint_ = record.checkpoint();
      break;
    case MetadataRecord::kScaled:
      if (record.scaled().has_shards()) target_ = record.scaled().shards();
      if (record.scaled().has_workers()) target_workers_ = record.scaled().workers();
      if (record.scaled().has_rebalance()) rebalance_ = record.scaled().rebalance();
      break;
    default:
      break;
  }
}

absl::Status CoordinatorImpl::Recover(const std::vector<MetadataRecord>& records) {
  // What follows a job that has ended is another job.
  if (records.back().has_ended()) return BeginAnew(options_.restore_from);
  const MetadataRecord::Started& first = records[0].started();
  {
    absl::MutexLock lock(&mu_);
    for (const MetadataRecord& record : records) attempt_ = std::max(attempt_, record.started().attempt());
    configuring_.emplace();
  }
  // Shards, workers and rebalance may be edited while the job runs: what counts is what `apply` said.
  const std::string differences = FixedDifferences(first.job(), job_);
  if (!differences.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "--metadata holds a job that has not ended and differs from --job; give it the folder of this "
        "job, or an empty one to begin anew:\n", differences));
  }
  ShardMap map;
  {
    absl::MutexLock lock(&mu_);
    if (first.has_restored()) GoOnFrom(first.restore_from(), first.restored());
    for (const MetadataRecord& record : records) Replay(record);
    if (leases_ != nullptr) leases_->Hold(false);
    MetadataRecord record;
    record.mutable_started()->set_generation(options_.generation);
    SYNCLINE_RETURN_IF_ERROR(Keep(record, true));
    if (!map_) return absl::OkStatus();
    map = *map_;
  }
  // A change of the map that the coordinator before was about to confirm is gone through with, and one that
  // was prepared only is taken back, both by KeepBalance: a shard may be away.
  SYNCLINE_RETURN_IF_ERROR(LinksTo(map, map).status());
  absl::MutexLock lock(&mu_);
  shards_ = GroupOf({map.shards().begin(), map.shards().end()});
  recovering_ = job_.replicas() > 1;
  return absl::OkStatus();
}

}  // namespace syncline
