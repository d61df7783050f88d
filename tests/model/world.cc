#include "tests/model/world.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/wire/protocol_version.h"

namespace syncline {
namespace {

constexpr int kMaxCopies = 2;
constexpr uint64_t kMaxEvents = 20000;

Sender SenderOf(Rank rank, Incarnation incarnation) {
  Sender sender;
  sender.set_rank(rank);
  sender.set_incarnation(incarnation);
  sender.set_protocol(kProtocolVersion);
  sender.set_map_epoch(1);
  return sender;
}

DataLeases::Options LeaseOptions(const WorldOptions& options, uint64_t samples, uint32_t batch,
                                 uint32_t epochs) {
  DataLeases::Options leases;
  leases.mode = options.mode;
  leases.on_loss = options.on_loss;
  leases.samples = samples;
  leases.batch_size = batch;
  leases.epochs = epochs;
  leases.horizon = 2;
  return leases;
}

std::vector<float> Floats(const Fragments& data) {
  std::vector<float> values(data.size() / sizeof(float));
  char* to = reinterpret_cast<char*>(values.data());
  for (const auto& piece : data.pieces()) {
    std::memcpy(to, piece.data, piece.size);
    to += piece.size;
  }
  return values;
}

}  // namespace

World::World(const WorldOptions& options, uint64_t seed)
    : options_(options),
      random_(seed),
      leases_(LeaseOptions(options, kSamples, kBatch, kEpochs)) {
  ShardOptions shard;
  shard.job.set_sync_mode(options.mode);
  shard.job.set_staleness(options.staleness + options.staleness_of_shards);
  shard.job.set_backup_workers(options.backup_workers);
  shard.job.set_on_worker_loss(options.on_loss);
  shard.job.mutable_optimizer()->set_learning_rate(1);
  shard.map.set_epoch(1);
  shard.map.set_chunk_bytes(4096);
  for (int i = 0; i < kShards; ++i) {
    TensorSpec* tensor = shard.map.add_tensors();
    tensor->set_name(absl::StrCat("t", i));
    tensor->add_shape(kSamples * kEpochs);
    shard.map.add_owner(i);
    shard.map.add_shards(absl::StrCat("h:", i + 1));
  }
  shard.forget_pushes_for_test = options.apply_duplicates;
  for (int i = 0; i < kShards; ++i) {
    shard.shard = i;
    shards_[i] = *Shard::Create(shard);
    weights_[i].resize(kSamples * kEpochs);
  }
  history_[0] = weights_[0];
  for (Rank rank = 0; rank < options.workers; ++rank) Join(rank);
  while (!tasks_.empty()) CoordinatorStep();
}

void World::Fail(const std::string& what) {
  if (error_.empty()) error_ = absl::StrCat("event ", events_, ": ", what);
}

// Begins an admission: one shard after the other hears of it, then the worker may ask for work.
void World::Join(Rank rank) {
  Task task;
  task.removing = false;
  task.rank = rank;
  task.incarnation = workers_[rank].incarnation + 1;
  tasks_.push_back(task);
}

std::vector<float> World::Gradient(const StepLease& step) const {
  std::vector<float> gradient(kSamples * kEpochs);
  const float each = options_.mode == SYNC ? -1.0f / step.count() : -1.0f;
  for (uint64_t i = 0; i < step.count(); ++i) {
    gradient[step.epoch() * kSamples + step.begin() + i] = each;
  }
  return gradient;
}

std::string World::Run() {
  while (error_.empty() && !Done()) {
    if (++events_ > kMaxEvents) {
      Fail("no end in sight");
      break;
    }
    std::vector<Rank> asking;
    for (auto& [rank, worker] : workers_) {
      if (worker.alive && worker.asking) asking.push_back(rank);
    }
    const uint64_t certain = network_.size() + tasks_.size() + absent_.size();
    const bool may_die = deaths_ < options_.deaths && events_ > 4;
    if (certain == 0) {
      // Only questions for more work are left: one of them must be answered.
      bool progress = false;
      for (const Rank rank : asking) {
        Ask(rank);
        progress = progress || !workers_[rank].asking;
      }
      if (!progress && !Done()) Fail(absl::StrCat("the job hangs: ", Describe()));
      continue;
    }
    uint64_t choice = Random(certain + asking.size() + (may_die && Random(10) == 0 ? 1 : 0));
    if (choice < network_.size()) {
      Deliver(choice);
    } else if ((choice -= network_.size()) < tasks_.size()) {
      CoordinatorStep();
    } else if ((choice -= tasks_.size()) < absent_.size()) {
      const Rank rank = absent_[choice];
      absent_.erase(absent_.begin() + static_cast<ptrdiff_t>(choice));
      Join(rank);
    } else if ((choice -= absent_.size()) < asking.size()) {
      Ask(asking[choice]);
    } else {
      Kill();
    }
  }
  if (!error_.empty()) return error_;
  // Every sample counts: once each, unless a backup worker's was dropped or a death repeated it.
  for (int shard = 0; shard < kShards; ++shard) {
    for (size_t i = 0; i < weights_[shard].size(); ++i) {
      const float weight = weights_[shard][i];
      const bool may_miss = options_.mode == SYNC && options_.backup_workers > 0;
      if (weight == 0 && !may_miss) Fail(absl::StrCat("sample ", i, " was never applied"));
    }
  }
  return error_;
}

std::string World::Describe() const {
  std::string text;
  for (int shard = 0; shard < kShards; ++shard) {
    const ShardStatusReply status = shards_[shard]->Status();
    absl::StrAppend(&text, "shard ", shard, " at step ", status.step());
    for (const std::string& line : status.waiting()) absl::StrAppend(&text, " (", line, ")");
    absl::StrAppend(&text, "; ");
  }
  for (const auto& [rank, worker] : workers_) {
    absl::StrAppend(&text, "rank ", rank, worker.alive ? " alive" : " dead", " incarnation ",
                    worker.incarnation, " at clock ", worker.next,
                    worker.asking ? " asking" : "", worker.finished ? " finished" : "",
                    worker.step ? " in a step" : "", "; ");
  }
  return text;
}

bool World::Done() const {
  if (!leases_.Finished() || !network_.empty() || !tasks_.empty()) return false;
  return std::all_of(workers_.begin(), workers_.end(),
                     [](const auto& w) { return !w.second.alive || !w.second.step; });
}

void World::Ask(Rank rank) {
  Worker& worker = workers_[rank];
  leases_.Committed(rank, worker.next);
  const LeaseReply reply = leases_.Lease(rank, worker.next);
  worker.leased.assign(reply.steps().begin(), reply.steps().end());
  worker.finished = reply.finished();
  worker.asking = worker.leased.empty() && !worker.finished;
  if (!worker.leased.empty()) Advance(rank);
}

// The worker's next step begins.
void World::Advance(Rank rank) {
  Worker& worker = workers_[rank];
  while (!worker.leased.empty() && worker.leased.front().clock() < worker.next) {
    worker.leased.pop_front();
  }
  worker.step.reset();
  if (worker.leased.empty()) {
    worker.asking = true;
    return;
  }
  worker.step = worker.leased.front();
  worker.leased.pop_front();
  worker.next = worker.step->clock();
  worker.closed = false;
  steps_[{rank, worker.incarnation}][worker.step->clock()] = *worker.step;
  Send(worker, rank, Kind::kPull);
}

void World::Send(Worker& worker, Rank rank, Kind kind) {
  worker.phase = kind;
  worker.awaited = 0;
  const bool lead_first = options_.mode == SYNC && options_.backup_workers > 0;
  for (int shard = 0; shard < kShards; ++shard) {
    if (kind == Kind::kPush && worker.step->count() == 0) continue;
    if (kind == Kind::kCommit && lead_first && shard > 0) continue;
    network_.push_back({kind, shard, rank, worker.incarnation, *worker.step, 0});
    ++worker.awaited;
  }
  if (worker.awaited == 0) Send(worker, rank, Kind::kCommit);
}

// The worker a message is from, if it still lives and waits for this reply.
World::Worker* World::Current(const Message& m) {
  Worker& worker = workers_[m.rank];
  const bool waits = worker.alive && worker.incarnation == m.incarnation && worker.step &&
                     worker.step->clock() == m.step.clock() && worker.phase == m.kind &&
                     m.copies == 0;
  return waits ? &worker : nullptr;
}

// A reply has come; with the last one the worker goes on.
void World::Reply(const Message& m) {
  Worker* worker = Current(m);
  if (worker == nullptr || --worker->awaited > 0) return;
  if (worker->closed) {
    ++worker->next;
    return Advance(m.rank);
  }
  switch (m.kind) {
    case Kind::kPull:
      return Send(*worker, m.rank, Kind::kPush);
    case Kind::kPush:
      return Send(*worker, m.rank, Kind::kCommit);
    case Kind::kCommit:
      worker->next = m.step.clock() + 1;
      return Advance(m.rank);
  }
}

void World::Deliver(size_t index) {
  Message m = network_[index];
  if (m.copies < kMaxCopies && Random(6) == 0) {
    ++network_[index].copies;  // it will come once more
  } else {
    network_.erase(network_.begin() + static_cast<ptrdiff_t>(index));
  }
  switch (m.kind) {
    case Kind::kPull:
      DeliverPull(m);
      break;
    case Kind::kPush:
      DeliverPush(m);
      break;
    case Kind::kCommit:
      DeliverCommit(m);
      break;
  }
  for (int shard = 0; shard < kShards; ++shard) Inspect(shard);
}

void World::DeliverPull(const Message& m) {
  if (m.copies > 0) return;  // asked again: the first answer will do
  shards_[m.shard]->Pull(
      SenderOf(m.rank, m.incarnation), {m.step.clock(), {}, false, {}},
      [this, m](absl::StatusOr<Shard::PullResult> result) {
        Worker* worker = Current(m);
        if (!result.ok()) {
          if (worker != nullptr && result.status().code() != absl::StatusCode::kCancelled) {
            Fail(absl::StrCat("a live worker's pull: ", result.status().message()));
          }
          return;
        }
        if (result->verdict == PullReply::GRANTED) Granted(m, *result);
        if (result->verdict == PullReply::STEP_CLOSED && worker != nullptr) worker->closed = true;
        Reply(m);
      });
}

// What a pull may see (promise 1).
void World::Granted(const Message& m, const Shard::PullResult& result) {
  const std::vector<float> seen = Floats(result.chunks.at(0).data);
  const Clock clock = m.step.clock();
  if (options_.mode == SYNC) {
    // The step may have been made within this event; Inspect looks at it afterwards.
    if (result.clock != clock || seen != history_.try_emplace(clock, seen).first->second) {
      Fail(absl::StrCat("rank ", m.rank, "'s pull for step ", clock, " saw other weights"));
    }
    return;
  }
  for (const auto& [rank, other] : seen_[m.shard]) {
    if (!other.live) continue;
    const Clock behind = options_.mode == BOUNDED ? options_.staleness : clock;
    if (options_.mode == BOUNDED && other.committed + behind < clock) {
      Fail(absl::StrCat("rank ", m.rank, " pulled at clock ", clock, " with rank ", rank,
                        " at clock ", other.committed, ", staleness ", options_.staleness));
    }
    const Clock visible = rank == m.rank ? clock : clock - std::min(clock, behind);
    for (const auto& [c, step] : steps_[{rank, workers_[rank].incarnation}]) {
      if (c >= visible) break;
      for (uint64_t i = 0; i < step.count(); ++i) {
        if (seen[step.epoch() * kSamples + step.begin() + i] < 1) {
          Fail(absl::StrCat("rank ", m.rank, " at clock ", clock, " did not see rank ", rank,
                            "'s update of clock ", c));
        }
      }
    }
  }
}

void World::DeliverPush(const Message& m) {
  const auto gradient = std::make_shared<std::vector<float>>(Gradient(m.step));
  const Fragments data =
      Fragments::Of(gradient->data(), gradient->size() * sizeof(float), gradient);
  const auto pushed = shards_[m.shard]->Push(
      SenderOf(m.rank, m.incarnation), m.step.clock(),
      {{static_cast<uint32_t>(m.shard), 0, data}});
  if (!pushed.ok()) {
    if (Current(m) != nullptr && seen_[m.shard][m.rank].live) {
      Fail(absl::StrCat("a live worker's push: ", pushed.status().message()));
    }
    return;
  }
  Reply(m);
}

void World::DeliverCommit(const Message& m) {
  Seen& seen = seen_[m.shard][m.rank];
  const bool current = seen.live && workers_[m.rank].incarnation == m.incarnation;
  // Pulls that this makes possible are granted, and checked, inside the call.
  if (current) seen.committed = std::max(seen.committed, m.step.clock() + 1);
  const auto committed = shards_[m.shard]->Commit(
      SenderOf(m.rank, m.incarnation), m.step.clock(), m.step.count(),
      {m.step.contributors().begin(), m.step.contributors().end()});
  Worker* worker = Current(m);
  if (!committed.ok()) {
    if (worker != nullptr && seen.live) {
      Fail(absl::StrCat("a live worker's commit: ", committed.status().message()));
    }
    return;
  }
  const bool lead_first = options_.mode == SYNC && options_.backup_workers > 0;
  if (worker != nullptr && lead_first && m.shard == 0) {
    if (!*committed) {
      worker->closed = true;
    } else {
      for (int shard = 1; shard < kShards; ++shard) {
        network_.push_back({Kind::kCommit, shard, m.rank, m.incarnation, m.step, 0});
        ++worker->awaited;
      }
    }
  }
  Reply(m);
}

void World::Kill() {
  std::vector<Rank> alive;
  for (const auto& [rank, worker] : workers_) {
    if (worker.alive) alive.push_back(rank);
  }
  if (alive.empty()) return;
  ++deaths_;
  Task task;
  task.rank = alive[Random(alive.size())];
  Worker& worker = workers_[task.rank];
  task.incarnation = worker.incarnation;
  worker.alive = false;
  worker.asking = false;
  worker.step.reset();
  tasks_.push_back(task);  // its lease of life runs out some time
}

// The next thing the coordinator says, to one shard.
void World::CoordinatorStep() {
  Task& task = tasks_.front();
  if (task.removing) {
    Remove(&task);
    if (task.said < 2 * kShards) return;
    leases_.Lost(task.rank, task.committed);
    absent_.push_back(task.rank);
    tasks_.pop_front();
    for (int shard = 0; shard < kShards; ++shard) Inspect(shard);
    return;
  }
  if (task.said == 0) {
    task.clock = leases_.FirstStep(task.rank);
    if (options_.mode != SYNC) {
      task.clock = shards_[0]->Status().step();
      for (const auto& shard : shards_) task.clock = std::min(task.clock, shard->Status().step());
    }
    leases_.Hold(true);
  }
  UpdateMemberRequest admit;
  admit.set_action(UpdateMemberRequest::ADMIT);
  admit.set_rank(task.rank);
  admit.set_incarnation(task.incarnation);
  admit.set_clock(task.clock);
  workers_[task.rank].incarnation = task.incarnation;
  seen_[task.said][task.rank] = {true, task.clock};
  const auto admitted = shards_[task.said]->UpdateMember(admit);
  if (!admitted.ok()) Fail(absl::StrCat("admission: ", admitted.status().message()));
  if (++task.said < kShards) return;
  leases_.Hold(false);
  leases_.Join(task.rank, task.clock);
  Worker worker;
  worker.incarnation = task.incarnation;
  worker.alive = true;
  worker.asking = true;
  worker.next = task.clock;
  workers_[task.rank] = worker;
  tasks_.pop_front();
}

void World::Remove(Task* task) {
  const int shard = task->said % kShards;
  UpdateMemberRequest request;
  request.set_rank(task->rank);
  request.set_incarnation(task->incarnation);
  if (task->said < kShards) {
    request.set_action(UpdateMemberRequest::FENCE);
    const auto fenced = shards_[shard]->UpdateMember(request);
    if (!fenced.ok()) return Fail(absl::StrCat("fence: ", fenced.status().message()));
    const bool better = options_.forget_commits ? fenced->committed() < task->committed
                                                : fenced->committed() > task->committed;
    if (!task->any || better) {
      task->committed = fenced->committed();
      task->last_commit = fenced->last_commit();
    }
    task->any = true;
  } else {
    request.set_action(UpdateMemberRequest::REMOVE);
    request.set_clock(task->committed);
    *request.mutable_last_commit() = task->last_commit;
    seen_[shard][task->rank].live = false;
    const auto removed = shards_[shard]->UpdateMember(request);
    if (!removed.ok()) return Fail(absl::StrCat("remove: ", removed.status().message()));
  }
  ++task->said;
}

// Looks at a shard's weights and checks what changed.
void World::Inspect(int shard) {
  shards_[shard]->Pull({}, {0, {}, true, {}}, [&](absl::StatusOr<Shard::PullResult> result) {
    const std::vector<float> weights = Floats(result->chunks.at(0).data);
    if (options_.mode == SYNC) {
      if (result->clock != reached_[shard]) InspectStep(shard, result->clock, weights);
      reached_[shard] = result->clock;
    } else {
      for (size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] > 1 + static_cast<float>(deaths_)) {
          Fail(absl::StrCat("sample ", i, " was applied ", weights[i], " times on shard ", shard));
        }
      }
    }
    weights_[shard] = weights;
  });
}

// sync: steps are whole, the same on all shards, and apply no sample twice (promises 2 and 3).
void World::InspectStep(int shard, Clock step, const std::vector<float>& weights) {
  const auto known = history_.find(step);
  if (known != history_.end() && known->second != weights) {
    Fail(absl::StrCat("step ", step, " differs between the shards: a torn step"));
  }
  history_[step] = weights;
  double gained = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const float change = weights[i] - weights_[shard][i];
    gained += change;
    if (change != 0 && weights_[shard][i] != 0) {
      Fail(absl::StrCat("sample ", i, " was applied twice, again before step ", step));
    }
  }
  const double steps = static_cast<double>(step - reached_[shard]);
  if (gained > steps + 1e-4 || (step == reached_[shard] + 1 && gained > 1e-4 && gained < 0.999)) {
    Fail(absl::StrCat("the update before step ", step, " weighs ", gained, " instead of 1"));
  }
}

}  // namespace syncline
