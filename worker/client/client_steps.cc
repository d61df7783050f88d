#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/wire/message.h"
#include "worker/client/client_impl.h"

namespace syncline {
namespace {

using Method = ShardConnection::Method;

// Where 2 MiB take longer than 5 ms, pulls and pushes go in small messages.
constexpr double kSlowRate = 400e6;
// Copies are not read for as long as the coordinator is away, say: most pulls then ask once.
constexpr absl::Duration kOwnersAlone = absl::Seconds(1);

}  // namespace

absl::Status ClientImpl::CheckFits(const Destination& to) const {
  if (first_ == nullptr) return absl::FailedPreconditionError("call CreateTensors first");
  const size_t tensors = held_tensors_.size();
  if (to.tensors.size() == tensors) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("memory for ", to.tensors.size(),
                                                 " tensors, there are ", tensors));
}

absl::StatusOr<ClientImpl::Outgoing> ClientImpl::Check(
    Clock clock, absl::Span<const Gradient> gradients) const {
  if (first_ == nullptr) return absl::FailedPreconditionError("call CreateTensors first");
  Outgoing out;
  out.route = routes_->For(clock);
  std::vector<const float*>& tensors = out.from.tensors;
  tensors.resize(out.route->router.tensors());
  std::vector<size_t> order;
  for (const Gradient& gradient : gradients) {
    const size_t tensor =
        gradient.tensor < held_tensors_.size() ? held_tensors_[gradient.tensor] : tensors.size();
    if (tensor >= tensors.size() || tensors[tensor] != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no tensor ", gradient.tensor, ", or it was given twice: there are "
                       "tensors 0 to ", held_tensors_.size() - 1));
    }
    tensors[tensor] = gradient.data;
    order.push_back(tensor);
  }
  out.messages = MessagesNow();
  out.groups = out.route->router.GroupsOf(order, out.messages);
  return out;
}

// As the slowest path to a shard asks for.
Router::Messages ClientImpl::MessagesNow() const {
  const auto& shards = routes_->newest()->shards;
  const bool slow = std::any_of(shards.begin(), shards.end(), [](auto* shard) {
    const double rate = shard->has_link() ? 0 : shard->rate();
    return rate > 0 && rate < kSlowRate;
  });
  return slow ? Router::kSmall : Router::kLarge;
}

// Without room for tensors it is one that only waits, of no chunks.
ClientImpl::Pulling ClientImpl::BeginPull(Clock clock, bool observer, size_t groups,
                                          const Destination& to, PullDone done) {
  if (!observer) done = Forgetting(std::move(done));
  Pulling pull{clock, observer, to.untouched, std::vector<float*>(first_->router.tensors()), {}, nullptr, false};
  Destination all{{}, to.ready, to.untouched};
  std::vector<size_t> counted(pull.tensors.size());
  for (size_t i = 0; i < to.tensors.size(); ++i) {
    pull.tensors[held_tensors_[i]] = to.tensors[i];
    counted[held_tensors_[i]] = i;
  }
  all.tensors = pull.tensors;
  if (to.ready != nullptr && options_.holds) {
    all.ready = [ready = to.ready, counted = std::move(counted)](size_t tensor) { ready(counted[tensor]); };
  }
  pull.operation = std::make_shared<PullOperation>(&first_->router, groups, all, std::move(done),
                                                   observer ? nullptr : versions_.get(),
                                                   held_.get());
  return pull;
}

void ClientImpl::SendPull(const Pulling& pull, const Route& route, const Group& group) {
  route.shards[group.shard]->Send(
      {Method::kPull, RouteClock(pull), group.bytes},
      requests_->Pull({pull.clock, pull.observer, pull.tensors, pull.untouched, pull.rows, pull.with_state}, group),
      [this, pull, group](auto reply) { Pulled(pull, group, std::move(reply)); });
}

void ClientImpl::Pulled(const Pulling& pull, const Group& group,
                        absl::StatusOr<grpc::ByteBuffer> reply) {
  // Whoever keeps copies may be none to read them from; the owner says what there is to say.
  if (group.copies && !reply.ok() && !absl::IsCancelled(reply.status())) {
    owners_until_ = absl::ToUnixNanos(SteadyNow() + kOwnersAlone);
    return PullFromOwners(pull, group);
  }
  if (absl::IsAborted(reply.status())) return PullAgain(pull, group);
  // Kept by whoever called: the last group may end it.
  const std::shared_ptr<PullOperation> operation = pull.operation;
  operation->Receive(group, std::move(reply));
  routes_->Hint(operation->map_epoch());
}

void ClientImpl::PullAgain(const Pulling& pull, const Group& group) {
  routes_->Await(group.map_epoch, RouteClock(pull), [this, pull, group](const absl::Status& known) {
    if (!known.ok()) return pull.operation->Receive(group, known);
    PullFromOwners(pull, group);
  });
}

void ClientImpl::PullFromOwners(const Pulling& pull, const Group& group) {
  const RouteTable::Ptr route = routes_->For(RouteClock(pull));
  std::vector<Group> groups = route->router.GroupsOfChunks(group.chunks, MessagesNow());
  // Without chunks it was only to wait, for a shard that may be none any more.
  if (groups.empty()) groups.push_back({route->epoch(), 0, {}, 0});
  pull.operation->SplitInto(groups.size());
  for (const Group& part : groups) SendPull(pull, *route, part);
}

void ClientImpl::PullAll(Clock clock, bool observer, const Destination& to, PullDone done) {
  const absl::Status fits = CheckFits(to);
  if (!fits.ok()) return done(fits);
  const RouteTable::Ptr route = observer ? routes_->newest() : routes_->ForPull(clock);
  const auto& groups = route->router.pulls(MessagesNow());
  const Pulling pull = BeginPull(clock, observer, groups.size(), to, std::move(done));
  for (const Group& group : groups) SendPull(pull, *route, group);
}

std::vector<Client::Chunk> ClientImpl::chunks() const {
  std::vector<Chunk> chunks;
  for (const ChunkInfo& info : first_->router.chunks()) chunks.push_back({info.tensor, info.begin, info.elements});
  return chunks;
}

void ClientImpl::PullSome(Clock clock, bool observer, absl::Span<const uint32_t> chunks, const Destination& to,
                          PullDone done) {
  const absl::Status fits = CheckFits(to);
  if (!fits.ok()) return done(fits);
  const RouteTable::Ptr route = observer ? routes_->newest() : routes_->ForPull(clock);
  const std::vector<Group> groups = route->router.GroupsOfChunks(chunks, MessagesNow());
  if (groups.empty()) return done(PullOutcome());
  const Pulling pull = BeginPull(clock, observer, groups.size(), to, std::move(done));
  for (const Group& group : groups) SendPull(pull, *route, group);
}

void ClientImpl::PushChunks(Clock clock, absl::Span<const uint32_t> chunks,
                            absl::Span<const float* const> tensors, Done done) {
  if (first_ == nullptr) return done(absl::FailedPreconditionError("call CreateTensors first"));
  Outgoing out;
  out.route = routes_->For(clock);
  out.from.tensors.resize(out.route->router.tensors());
  for (size_t i = 0; i < tensors.size(); ++i) out.from.tensors[held_tensors_[i]] = tensors[i];
  out.messages = MessagesNow();
  out.groups = out.route->router.GroupsOfChunks(chunks, out.messages);
  SendPushes(clock, out, std::move(done));
}

void ClientImpl::Push(Clock clock, absl::Span<const Gradient> gradients, Done done) {
  const absl::StatusOr<Outgoing> out = Check(clock, gradients);
  if (!out.ok()) return done(out.status());
  SendPushes(clock, *out, std::move(done));
}

void ClientImpl::SendPushes(Clock clock, const Outgoing& out, Done done) {
  if (out.groups.empty()) return done(absl::OkStatus());
  const auto gather = std::make_shared<Gather>(out.groups.size(), std::move(done));
  for (const Group& group : out.groups) SendPush(clock, out.from, *out.route, group, gather);
}

void ClientImpl::SendPush(Clock clock, const Gradients& from, const Route& route, const Group& group,
                          std::shared_ptr<Gather> gather) {
  ShardConnection* const shard = route.shards[group.shard];
  const auto done = [this, clock, from, group, gather,
                     shard](absl::StatusOr<grpc::ByteBuffer> buffer) {
    if (buffer.ok()) NotePushed(shard, clock, *buffer);
    const bool again = buffer.ok() ? !Keep(shard, clock, from, group)
                                   : absl::IsAborted(buffer.status());
    if (!again) return gather->PartDone(buffer.status());
    routes_->Await(group.map_epoch, clock, [=](const absl::Status& known) {
      if (!known.ok()) return gather->PartDone(known);
      Outgoing again;
      again.route = routes_->For(clock);
      again.from = from;
      again.groups = again.route->router.GroupsOfChunks(group.chunks, MessagesNow());
      SendPushes(clock, again, [gather](const absl::Status& pushed) { gather->PartDone(pushed); });
    });
  };
  shard->Send({Method::kPush, clock, group.bytes}, requests_->Push({clock, from.tensors, from.rows}, group), done);
}

// What a shard says of a push. If it left out a gradient that is not finite (on_nonfinite: skip),
// in sync all of the contribution must stay out, on all shards: Commit says 0 samples.
void ClientImpl::NotePushed(ShardConnection* shard, Clock clock, const grpc::ByteBuffer& buffer) {
  const auto reply = DecodeMessage<PushReply>(buffer);
  if (!reply.ok()) return;
  if (reply->skipped_size() > 0) skipped_ = clock + 1;
  shard->Grant(reply->window());
}

void ClientImpl::SendCommit(ShardConnection* shard, const CommitRequest& request,
                            CommitDone done) {
  const grpc::ByteBuffer bytes = EncodeMessage(request);
  shard->Send(
      {Method::kCommit, request.clock(), 0}, [bytes](const auto&, const LocalLink*) { return bytes; },
      [done = std::move(done)](absl::StatusOr<grpc::ByteBuffer> buffer) {
        if (!buffer.ok()) return done(buffer.status());
        const auto reply = DecodeMessage<CommitReply>(*buffer);
        if (!reply.ok()) return done(reply.status());
        done(reply->accepted());
      });
}

CommitRequest ClientImpl::MakeCommit(Clock clock, uint64_t samples,
                                     const std::vector<Rank>& contributors) const {
  CommitRequest request;
  *request.mutable_sender() = MakeSender();
  request.set_clock(clock);
  const bool skipped = job().sync_mode() == SYNC && skipped_ == clock + 1;
  request.set_samples(skipped ? 0 : samples);
  request.mutable_contributors()->Assign(contributors.begin(), contributors.end());
  return request;
}

// Together, so that a map that comes in between is told of this commit or gets it anyway.
RouteTable::Ptr ClientImpl::NoteCommit(const CommitRequest& commit) {
  absl::MutexLock lock(&mu_);
  last_commit_ = commit;
  return routes_->For(commit.clock());
}

void ClientImpl::Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors,
                        CommitDone done) {
  if (first_ == nullptr) return done(absl::FailedPreconditionError("call CreateTensors first"));
  CommitEverywhere(MakeCommit(clock, samples, contributors), std::move(done));
}

void ClientImpl::CommitEverywhere(const CommitRequest& commit, CommitDone done) {
  WhenReplayed([this, commit, done = std::move(done)] {
    const RouteTable::Ptr route = NoteCommit(commit);
    CommitTo(route, commit, [this, route, commit, done](absl::StatusOr<bool> accepted) {
      if (!absl::IsAborted(accepted.status())) return done(std::move(accepted));
      routes_->Await(route->epoch(), commit.clock(), [=](const absl::Status& known) {
        if (!known.ok()) return done(known);
        CommitEverywhere(commit, done);
      });
    });
  });
}

void ClientImpl::CommitTo(const RouteTable::Ptr& route, CommitRequest commit, CommitDone done) {
  commit.mutable_sender()->set_map_epoch(route->epoch());
  const size_t first = LeadDecides() ? 1 : 0;
  const auto to_rest = [this, route, commit, first](CommitDone told) {
    if (first >= route->shards.size()) return told(true);
    const auto gather = std::make_shared<Gather>(
        route->shards.size() - first, [told = std::move(told)](absl::Status status) {
          if (!status.ok()) return told(status);
          told(true);
        });
    for (size_t shard = first; shard < route->shards.size(); ++shard) {
      SendCommit(route->shards[shard], commit,
                 [gather](auto accepted) { gather->PartDone(accepted.status()); });
    }
  };
  if (first == 0) return to_rest(std::move(done));
  SendCommit(route->shards[0], commit, [to_rest, done = std::move(done)](absl::StatusOr<bool> accepted) {
    if (!accepted.ok() || !*accepted) return done(std::move(accepted));
    to_rest(done);
  });
}

bool ClientImpl::FitOneRoundTrip(const Outgoing& out) const {
  const size_t shards = out.route->shards.size();
  if (job().sync_mode() == SYNC && shards > 1) return false;
  std::vector<int> pushed(shards), pulled(shards);
  const auto once = [](const std::vector<int>& counts) {
    return std::all_of(counts.begin(), counts.end(), [](int count) { return count <= 1; });
  };
  for (const Group& group : out.groups) ++pushed[group.shard];
  for (const Group& group : out.route->router.pulls(out.messages)) ++pulled[group.shard];
  return once(pushed) && once(pulled);
}

void ClientImpl::PushPull(const StepEnd& step, absl::Span<const Gradient> gradients,
                          const Destination& to, PullDone done) {
  const absl::Status fits = CheckFits(to);
  if (!fits.ok()) return done(fits);
  const absl::StatusOr<Outgoing> out = Check(step.clock, gradients);
  if (!out.ok()) return done(out.status());
  if (!LeadDecides() && FitOneRoundTrip(*out)) {
    return SendPushPull(step, *out, to, std::move(done));
  }
  SendPushes(step.clock, *out,
             [this, step, messages = out->messages,
              tensors = std::vector<float*>(to.tensors.begin(), to.tensors.end()),
              to = Destination(to), done = std::move(done)](const absl::Status& pushed) mutable {
               if (!pushed.ok()) return done(pushed);
               to.tensors = tensors;
               if (!LeadDecides()) {
                 return WhenReplayed([this, step, messages, tensors, to, done]() mutable {
                   to.tensors = tensors;
                   const Outgoing rest{routes_->For(step.clock), {}, messages, {}};
                   SendPushPull(step, rest, to, std::move(done));
                 });
               }
               Commit(step.clock, step.samples, step.contributors,
                      [this, next = step.next, tensors, to = to,
                       done](const auto& accepted) mutable {
                        if (!accepted.ok()) return done(accepted.status());
                        to.tensors = tensors;
                        Pull(next, to, std::move(done));
                      });
             });
}

void ClientImpl::SendPushPull(const StepEnd& step, const Outgoing& out, const Destination& to,
                              PullDone done) {
  CommitRequest commit = MakeCommit(step.clock, step.samples, step.contributors);
  NoteCommit(commit);
  commit.mutable_sender()->set_map_epoch(out.route->epoch());
  const auto& groups = out.route->router.pulls(out.messages);
  const Pulling pull = BeginPull(step.next, false, groups.size(), to, std::move(done));
  std::vector<bool> committed(out.route->shards.size());
  for (const Group& group : groups) {
    const bool first = !committed[group.shard];
    committed[group.shard] = true;
    if (!first) {
      SendPull(pull, *out.route, group);
      continue;
    }
    const auto pushed =
        std::find_if(out.groups.begin(), out.groups.end(),
                     [&](const Group& g) { return g.shard == group.shard; });
    const Group* const push = pushed == out.groups.end() ? nullptr : &*pushed;
    out.route->shards[group.shard]->Send(
        {Method::kPushPull, step.clock, 0},
        requests_->PushPull({step.clock, out.from.tensors}, push, commit,
                            {pull.clock, false, pull.tensors, pull.untouched}, group),
        [this, step, from = out.from,
         chunks = push == nullptr ? std::vector<uint32_t>() : push->chunks, pull,
         group](auto reply) {
          if (!absl::IsAborted(reply.status())) return Pulled(pull, group, std::move(reply));
          PushPullAgain(step, from, chunks, pull, group);
        });
  }
}

void ClientImpl::PushPullAgain(const StepEnd& step, const Gradients& from,
                               const std::vector<uint32_t>& pushed, const Pulling& pull,
                               const Group& group) {
  const auto commit_and_pull = [this, step, pull, group](const absl::Status& status) {
    if (!status.ok()) return pull.operation->Receive(group, status);
    CommitEverywhere(MakeCommit(step.clock, step.samples, step.contributors),
                     [this, pull, group](const absl::StatusOr<bool>& accepted) {
                       if (!accepted.ok()) {
                         return pull.operation->Receive(group, accepted.status());
                       }
                       PullAgain(pull, group);
                     });
  };
  if (pushed.empty()) return commit_and_pull(absl::OkStatus());
  // Refused again where the map is still the old one, and then awaited.
  const RouteTable::Ptr route = routes_->For(step.clock);
  SendPushes(step.clock, {route, from, Router::kLarge, route->router.GroupsOfChunks(pushed)},
             commit_and_pull);
}

}  // namespace syncline
