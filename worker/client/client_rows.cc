#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "worker/client/client_impl.h"

namespace syncline {

absl::StatusOr<size_t> ClientImpl::TableTensor(size_t table, absl::Span<const uint64_t> keys,
                                               const void* rows) const {
  if (first_ == nullptr) return absl::FailedPreconditionError("call CreateTensors first");
  if (table >= table_tensors_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no table ", table, ": the job has ", table_tensors_.size(), ", counted from 0"));
  }
  if (rows != nullptr || keys.empty()) return table_tensors_[table];
  return absl::InvalidArgumentError(absl::StrCat("no memory for the rows of table ", table));
}

bool ClientImpl::IsLent(const SlotRows& rows) const {
  const auto lent = [this](const void* data, size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return std::any_of(lent_.begin(), lent_.end(), [&](const auto& block) { return block->OffsetOf(data, bytes); });
  };
  absl::MutexLock lock(&mu_);
  return rows.count() == 0 || (lent(rows.memory().data(), rows.memory().size()) &&
                               (rows.to() == nullptr || lent(rows.to(), rows.count() * rows.dim() * sizeof(float))));
}

SlotRows::Options ClientImpl::RowOptions(size_t table) {
  const Table& of = job().tables(static_cast<int>(table));
  SlotRows::Options options{of.slots(), of.dim()};
  options.spread = [this](size_t count, const auto& body) { row_threads_->For(count, body); };
  if (row_memory_ != nullptr && shards_on_this_host() > 0) {
    options.allocate = [this](size_t bytes) { return row_memory_->Take(bytes); };
  }
  return options;
}

// Slots by shard.
std::vector<Router::Group> ClientImpl::GroupsOfRows(const Route& route, const RowsOf& rows, Slots slots) const {
  std::vector<uint32_t> chunks;
  for (const size_t tensor : table_tensors_) {
    if (tensor >= rows.size() || rows[tensor] == nullptr) continue;
    const uint32_t first = route.router.first_chunk(tensor);
    for (uint32_t slot = 0; slot < route.router.tensor_chunks(tensor); ++slot) {
      if (slots == Slots::kAll || rows[tensor]->count(slot) > 0) chunks.push_back(first + slot);
    }
  }
  return GroupsWithRows(route, chunks, rows, slots == Slots::kWithRowsOrCopies);
}

std::vector<Router::Group> ClientImpl::GroupsWithRows(const Route& route, absl::Span<const uint32_t> chunks,
                                                      const RowsOf& rows, bool copies) const {
  const auto bytes = [&](uint32_t chunk) {
    const ChunkInfo& info = route.router.chunks()[chunk];
    if (!info.rows) return info.elements * sizeof(float);
    const SlotRows& of = *rows[info.tensor];
    return of.count(static_cast<uint32_t>(info.begin)) * (sizeof(uint64_t) + of.dim() * sizeof(float));
  };
  // Rows that stay where they are go in longer messages, which a shard spreads over its cores.
  const auto& shards = route.shards;
  const bool placed =
      !codes_rows_ &&
      std::all_of(shards.begin(), shards.end(), [](auto* shard) { return shard->has_link(); }) &&
      std::all_of(rows.begin(), rows.end(), [this](const auto& of) { return of == nullptr || IsLent(*of); });
  const Router::Parts parts{bytes, placed ? kLentBytes : options_.message_bytes, copies};
  return route.router.GroupsOfChunks(chunks, MessagesNow(), &parts);
}

void ClientImpl::FetchRows(Clock clock, bool observer, absl::Span<const RowPull> pulls, bool with_state,
                           PullDone done) {
  RowsOf rows;
  for (const RowPull& pull : pulls) {
    const auto tensor = TableTensor(pull.table, pull.keys, pull.to);
    if (!tensor.ok()) return done(tensor.status());
    rows.resize(first_->router.tensors());
    SlotRows::Options options = RowOptions(pull.table);
    if (with_state) options.dim = caches_[pull.table]->width();
    rows[*tensor] = SlotRows::ToPull(options, pull.keys, pull.to);
  }
  if (rows.empty()) return done(PullOutcome());
  const RouteTable::Ptr route = observer ? routes_->newest() : routes_->ForPull(clock);
  // Who has a copy has all that was acknowledged, but in sync, where it may be a step behind.
  const bool copies = !observer && job().sync_mode() != SYNC && absl::ToUnixNanos(SteadyNow()) >= owners_until_;
  const std::vector<Group> groups = GroupsOfRows(*route, rows, copies ? Slots::kWithRowsOrCopies : Slots::kWithRows);
  if (groups.empty()) return done(PullOutcome());
  Pulling pull{clock, observer, false, {}, rows, nullptr, with_state};
  pull.operation = std::make_shared<PullOperation>(&first_->router, groups.size(), Destination(), std::move(done),
                                                   observer ? nullptr : versions_.get(), held_.get(), rows);
  for (const Group& group : groups) SendPull(pull, *route, group);
}

void ClientImpl::PushRows(Clock clock, absl::Span<const RowPush> pushes, Done done) {
  if (first_ == nullptr) return done(absl::FailedPreconditionError("call CreateTensors first"));
  Outgoing out;
  out.from.rows.resize(first_->router.tensors());
  for (const RowPush& push : pushes) {
    const auto tensor = TableTensor(push.table, push.keys, push.gradients);
    if (!tensor.ok()) return done(tensor.status());
    out.from.rows[*tensor] = SlotRows::ToPush(RowOptions(push.table), push.keys, push.gradients);
  }
  const bool all_slots = job().sync_mode() == SYNC;
  for (size_t t = 0; all_slots && t < table_tensors_.size(); ++t) {
    auto& rows = out.from.rows[table_tensors_[t]];
    if (rows == nullptr) rows = SlotRows::ToPush(RowOptions(t), {}, nullptr);
  }
  out.route = routes_->For(clock);
  out.groups = GroupsOfRows(*out.route, out.from.rows, all_slots ? Slots::kAll : Slots::kWithRows);
  SendPushes(clock, out, TellCaches(clock, pushes, std::move(done)));
}

}  // namespace syncline
