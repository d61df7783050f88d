#include "server/coordinator/map_change.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/threads/in_parallel.h"

namespace syncline {

absl::StatusOr<MapChange::Told> MapChange::TellAll(ChangeMapRequest::Phase phase, Stock* replies) {
  const std::vector<Links::value_type> shards(shards_.begin(), shards_.end());
  const auto& addresses = next_.map().shards();
  std::vector<absl::StatusOr<ChangeMapReply>> answers(shards.size());
  InParallel(shards.size(), [&](size_t i) {
    ChangeMapRequest request;
    request.set_phase(phase);
    *request.mutable_next() = next_;
    const auto place = std::find(addresses.begin(), addresses.end(), shards[i].first);
    request.set_shard(static_cast<uint32_t>(place - addresses.begin()));
    answers[i] = shards[i].second->ChangeMap(request);
  });
  Told told;
  absl::Status status;
  for (size_t i = 0; i < shards.size(); ++i) {
    const auto& reply = answers[i];
    status.Update(reply.status());
    if (!reply.ok()) continue;
    told.accepted = told.accepted && reply->accepted();
    told.lowest_step = std::min(told.lowest_step, reply->step());
    told.highest_step = std::max(told.highest_step, reply->step());
    told.arriving += reply->arriving();
    if (replies != nullptr) (*replies)[shards[i].first] = *reply;
  }
  if (!status.ok()) return status;
  return told;
}

absl::StatusOr<Stock> MapChange::TakeStock() {
  Stock stock;
  SYNCLINE_RETURN_IF_ERROR(TellAll(ChangeMapRequest::TAKE_STOCK, &stock).status());
  return stock;
}

absl::Status MapChange::Prepare(uint64_t step, uint64_t margin) {
  next_.set_from_step(step + margin);
  while (true) {
    SYNCLINE_ASSIGN_OR_RETURN(const Told told, TellAll(ChangeMapRequest::PREPARE));
    if (told.accepted) return absl::OkStatus();
    margin = std::max<uint64_t>(2 * margin, 1);
    next_.set_from_step(std::max(next_.from_step(), told.highest_step) + margin);
  }
}

absl::StatusOr<bool> MapChange::Done() {
  SYNCLINE_ASSIGN_OR_RETURN(const Told told, TellAll(ChangeMapRequest::DESCRIBE));
  reached_ = told.lowest_step >= next_.from_step();
  return told.arriving == 0 && reached_;
}

absl::Status MapChange::Finish() {
  SYNCLINE_ASSIGN_OR_RETURN(const Told told, TellAll(ChangeMapRequest::FINISH));
  if (told.accepted) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("map epoch ", next_.map().epoch(), ": a shard has yet to go by it"));
}

}  // namespace syncline
