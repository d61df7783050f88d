#include "server/shard/worker_states.h"

#include <algorithm>

namespace syncline {

WorkerStates::Ticket WorkerStates::Ask(Clock clock, std::set<Worker> workers) {
  absl::MutexLock lock(&mu_);
  questions_[++last_ticket_] = {clock, std::move(workers), {}};
  return last_ticket_;
}

bool WorkerStates::Wanted(const Worker& worker, Clock clock) const {
  absl::MutexLock lock(&mu_);
  return std::any_of(questions_.begin(), questions_.end(), [&](const auto& entry) {
    const Question& question = entry.second;
    return (!by_clock_ || question.clock == clock) && question.open.count(worker) > 0;
  });
}

void WorkerStates::Keep(const Worker& worker, State state, bool leaving) {
  absl::MutexLock lock(&mu_);
  for (auto& [ticket, question] : questions_) {
    if (by_clock_ && question.clock != state->clock) continue;
    if (question.open.erase(worker) > 0) question.answers[worker.first] = state;
  }
  EndLegacyOf(worker);
  if (leaving) legacies_[worker.first] = {std::move(state), 0};
}

void WorkerStates::Forget(const Worker& worker) {
  absl::MutexLock lock(&mu_);
  for (auto& [ticket, question] : questions_) question.open.erase(worker);
  EndLegacyOf(worker);
}

// What it took over is in what it carries by now.
void WorkerStates::EndLegacyOf(const Worker& heir) {
  const auto found = legacies_.find(heir.first);
  if (found != legacies_.end() && found->second.heir == heir.second) legacies_.erase(found);
}

std::vector<WorkerStates::State> WorkerStates::Take(Ticket ticket, absl::Duration patience,
                                                    std::vector<Rank>* missing) {
  absl::MutexLock lock(&mu_);
  const auto answered = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return closed_ || questions_[ticket].open.empty();
  };
  mu_.AwaitWithTimeout(absl::Condition(&answered), patience);
  Question question = std::move(questions_[ticket]);
  questions_.erase(ticket);
  missing->clear();
  for (const Worker& worker : question.open) missing->push_back(worker.first);
  for (const auto& [rank, legacy] : legacies_) {
    if (legacy.heir == 0) question.answers.emplace(rank, legacy.state);
  }
  std::vector<State> states;
  for (auto& [rank, state] : question.answers) states.push_back(std::move(state));
  return states;
}

WorkerStates::State WorkerStates::Inherit(const Worker& worker) {
  absl::MutexLock lock(&mu_);
  const auto found = legacies_.find(worker.first);
  if (found == legacies_.end()) return nullptr;
  Legacy& legacy = found->second;
  if (legacy.heir != 0 && legacy.heir != worker.second) return nullptr;
  legacy.heir = worker.second;
  return legacy.state;
}

void WorkerStates::Restore(State state) {
  absl::MutexLock lock(&mu_);
  const Rank rank = state->rank;
  legacies_[rank] = {std::move(state), 0};
}

void WorkerStates::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
}

}  // namespace syncline
