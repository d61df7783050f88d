#include "worker/team/mailbox.h"

#include <utility>

#include "common/status/status_macros.h"

namespace syncline {
namespace {

bool IsOrder(TeamMessage::Kind kind) {
  return kind == TeamMessage::STEP || kind == TeamMessage::EVALUATE || kind == TeamMessage::END;
}

// FAILED_PRECONDITION where the member is none any more; otherwise the step is tried again.
absl::Status FailedElsewhere(int32_t code) {
  const bool given_up = code == static_cast<int32_t>(absl::StatusCode::kFailedPrecondition);
  return {given_up ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kAborted,
          "another process of the team could not make the step"};
}

}  // namespace

bool Mailbox::New(uint64_t life, uint64_t number) {
  Seen& seen = seen_[life];
  if (number < seen.next || !seen.numbers.insert(number).second) return false;
  while (!seen.numbers.empty() && *seen.numbers.begin() == seen.next) {
    seen.numbers.erase(seen.numbers.begin());
    ++seen.next;
  }
  return true;
}

Mailbox::Messages Mailbox::Before(const TeamAttempt& attempt) {
  Messages before;
  while (!messages_.empty() && messages_.begin()->first < attempt) before.insert(messages_.extract(messages_.begin()));
  return before;
}

void Mailbox::Put(DecodedTeamMessage message) {
  absl::MutexLock lock(&mu_);
  const TeamMessage& head = message.head;
  if (!New(head.life(), head.number())) return;
  const TeamAttempt attempt = AttemptOf(head);
  if (IsOrder(head.kind())) {
    if (ordered_last_ < attempt) orders_.emplace(attempt, std::move(message.head));
    return ordered_.NotifyAll();
  }
  if (attempt < attempt_ || attempt.generation < generation_) return;
  if (head.failed() != 0 && !(attempt < failed_.first)) failed_ = {attempt, FailedElsewhere(head.failed())};
  const Key key = {head.kind(), head.place(), head.part()};
  messages_[attempt][key] = std::move(message);
}

void Mailbox::DropOrders(uint64_t generation) {
  absl::MutexLock lock(&mu_);
  while (!orders_.empty() && orders_.begin()->first.generation <= generation) orders_.erase(orders_.begin());
}

void Mailbox::BeginAttempt(const TeamAttempt& attempt) {
  Messages dropped;  // goes after the lock
  absl::MutexLock lock(&mu_);
  if (attempt < attempt_) return;
  attempt_ = attempt;
  dropped = Before(attempt);
}

absl::Status Mailbox::Going() const {
  if (generation_ != attempt_.generation) {
    return absl::AbortedError("somebody of the team came or went: the step is begun anew");
  }
  if (!(failed_.first < attempt_) && !(attempt_ < failed_.first)) SYNCLINE_RETURN_IF_ERROR(failed_.second);
  if (!orders_.empty() && attempt_ < orders_.rbegin()->first) {
    return absl::AbortedError("the leader of the team has given another order");
  }
  return absl::OkStatus();
}

bool Mailbox::There(const Key& key) const {
  const auto of_attempt = messages_.find(attempt_);
  return of_attempt != messages_.end() && of_attempt->second.count(key) > 0;
}

DecodedTeamMessage Mailbox::Remove(const Key& key) { return std::move(messages_[attempt_].extract(key).mapped()); }

absl::StatusOr<DecodedTeamMessage> Mailbox::Take(TeamMessage::Kind kind, uint32_t place, uint64_t part) {
  absl::MutexLock lock(&mu_);
  const Key key = {kind, place, part};
  const auto decided = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return There(key) || !Going().ok(); };
  mu_.Await(absl::Condition(&decided));
  SYNCLINE_RETURN_IF_ERROR(Going());
  return Remove(key);
}

absl::StatusOr<std::optional<DecodedTeamMessage>> Mailbox::TakeIfThere(TeamMessage::Kind kind, uint32_t place,
                                                                       uint64_t part) {
  absl::MutexLock lock(&mu_);
  SYNCLINE_RETURN_IF_ERROR(Going());
  const Key key = {kind, place, part};
  if (!There(key)) return std::nullopt;
  return Remove(key);
}

absl::Status Mailbox::StillOn() {
  absl::MutexLock lock(&mu_);
  return Going();
}

std::optional<TeamMessage> Mailbox::TakeOrder(absl::Duration patience) {
  absl::MutexLock lock(&mu_);
  const auto there = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !orders_.empty(); };
  if (!ordered_.WaitFor(&mu_, patience, there)) return std::nullopt;
  TeamMessage order = std::move(orders_.begin()->second);
  ordered_last_ = orders_.begin()->first;
  orders_.erase(orders_.begin());
  return order;
}

void Mailbox::SetGeneration(uint64_t generation) {
  Messages dropped;  // goes after the lock
  absl::MutexLock lock(&mu_);
  generation_ = generation;
  dropped = Before({generation, 0});
}

}  // namespace syncline
