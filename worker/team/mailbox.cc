#include "worker/team/mailbox.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace syncline {
namespace {

bool IsOrder(TeamMessage::Kind kind) {
  return kind == TeamMessage::STEP || kind == TeamMessage::EVALUATE || kind == TeamMessage::END;
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

void Mailbox::Put(DecodedTeamMessage message) {
  absl::MutexLock lock(&mu_);
  const TeamMessage& head = message.head;
  if (!New(head.life(), head.number())) return;
  if (IsOrder(head.kind())) {
    orders_.push_back(std::move(message.head));
    return;
  }
  if (AttemptOf(head) < attempt_) return;
  const Key key = {head.kind(), head.place(), head.part()};
  messages_[AttemptOf(head)][key] = std::move(message);
}

void Mailbox::BeginAttempt(const TeamAttempt& attempt) {
  absl::MutexLock lock(&mu_);
  if (attempt < attempt_) return;
  attempt_ = attempt;
  messages_.erase(messages_.begin(), messages_.lower_bound(attempt));
}

absl::StatusOr<DecodedTeamMessage> Mailbox::Take(TeamMessage::Kind kind, uint32_t place,
                                                 uint32_t part) {
  absl::MutexLock lock(&mu_);
  const Key key = {kind, place, part};
  const auto decided = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto of_attempt = messages_.find(attempt_);
    return generation_ != attempt_.generation ||
           (of_attempt != messages_.end() && of_attempt->second.count(key) > 0);
  };
  mu_.Await(absl::Condition(&decided));
  if (generation_ != attempt_.generation) {
    return absl::AbortedError("somebody of the team came or went: the step is begun anew");
  }
  auto& messages = messages_[attempt_];
  const auto found = messages.find(key);
  DecodedTeamMessage message = std::move(found->second);
  messages.erase(found);
  return message;
}

std::optional<TeamMessage> Mailbox::TakeOrder(absl::Duration patience) {
  absl::MutexLock lock(&mu_);
  const auto there = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !orders_.empty(); };
  if (!mu_.AwaitWithTimeout(absl::Condition(&there), patience)) return std::nullopt;
  TeamMessage order = std::move(orders_.front());
  orders_.pop_front();
  return order;
}

void Mailbox::SetGeneration(uint64_t generation) {
  absl::MutexLock lock(&mu_);
  generation_ = generation;
}

}  // namespace syncline
