#include <algorithm>
#include <utility>

#include "common/optimizer/row_rule_factory.h"
#include "common/status/status_macros.h"
#include "worker/client/client_impl.h"

namespace syncline {

// Rows of one table that were not in its cache.
struct ClientImpl::CachedPull {
  RowPull asked;  // the caller's; its keys may have gone
  CachedRows::Ticket ticket;
  std::vector<uint32_t> places{};  // of the missing ones
  std::vector<uint64_t> keys{};
  std::vector<float> rows{};  // [keys, width]
};

absl::Status ClientImpl::MakeCaches() {
  for (const Table& table : job().tables()) {
    caches_.emplace_back();
    if (table.cache().rows() == 0) continue;
    SYNCLINE_ASSIGN_OR_RETURN(auto rule, MakeRowRule(table.optimizer()));
    CachedRows::Options options;
    options.rows = table.cache().rows();
    options.dim = table.dim();
    options.rule = std::move(rule);
    // Of a constant schedule, which such a table needs.
    options.learning_rate = static_cast<float>(table.optimizer().learning_rate());
    options.clip_value = static_cast<float>(job().optimizer().clip_value());
    caches_.back() = std::make_unique<CachedRows>(std::move(options));
  }
  return absl::OkStatus();
}

void ClientImpl::PullRows(Clock clock, absl::Span<const RowPull> pulls, PullDone done) {
  struct Fetches {
    std::vector<CachedPull> cached;
    absl::Mutex mu;
    PullOutcome outcome ABSL_GUARDED_BY(mu);
  };
  const auto fetches = std::make_shared<Fetches>();
  std::vector<RowPull> others, missing;
  for (const RowPull& pull : pulls) {
    const auto tensor = TableTensor(pull.table, pull.keys, pull.to);
    if (!tensor.ok()) return done(tensor.status());
    CachedRows* const cache = caches_[pull.table].get();
    if (cache == nullptr) {
      others.push_back(pull);
      continue;
    }
    CachedPull& cached = fetches->cached.emplace_back(CachedPull{pull, cache->BeginPull()});
    cache->Take(clock, pull.keys, pull.to, &cached.places);
    for (const uint32_t place : cached.places) cached.keys.push_back(pull.keys[place]);
    cached.rows.resize(cached.keys.size() * cache->width());
  }
  if (fetches->cached.empty()) return FetchRows(clock, reads_only(), pulls, false, std::move(done));
  for (CachedPull& cached : fetches->cached) {
    if (!cached.keys.empty()) missing.push_back({cached.asked.table, cached.keys, cached.rows.data()});
  }
  const auto both = std::make_shared<Gather>(2, [fetches, done = std::move(done)](const absl::Status& status) {
    if (!status.ok()) return done(status);
    fetches->mu.Lock();
    const PullOutcome outcome = fetches->outcome;
    fetches->mu.Unlock();
    done(outcome);
  });
  const auto fetched = [this, clock, fetches, both](bool kept, const absl::StatusOr<PullOutcome>& outcome) {
    if (outcome.ok()) {
      absl::MutexLock lock(&fetches->mu);
      PullOutcome& all = fetches->outcome;
      all.clock = std::max(all.clock, outcome->clock);
      if (outcome->verdict != PullReply::GRANTED) all.verdict = outcome->verdict;
    }
    if (kept && outcome.ok() && outcome->verdict == PullReply::GRANTED) {
      for (const CachedPull& cached : fetches->cached) TakeMissing(clock, cached, *outcome);
    }
    both->PartDone(outcome.status());
  };
  FetchRows(clock, false, others, false, [fetched](const auto& outcome) { fetched(false, outcome); });
  FetchRows(clock, false, missing, true, [fetched](const auto& outcome) { fetched(true, outcome); });
}

void ClientImpl::TakeMissing(Clock clock, const CachedPull& pull, const PullOutcome& outcome) {
  CachedRows& cache = *caches_[pull.asked.table];
  const Table& table = job().tables(static_cast<int>(pull.asked.table));
  for (size_t i = 0; i < pull.places.size(); ++i) {
    std::copy_n(&pull.rows[i * cache.width()], table.dim(), pull.asked.to + pull.places[i] * table.dim());
  }
  Clock until = clock + table.cache().max_age_steps() - 1;
  if (job().sync_mode() == BOUNDED && outcome.lowest_clock) {
    until = std::min(until, *outcome.lowest_clock + job().staleness());
  }
  cache.Keep(pull.ticket, pull.keys, pull.rows.data(), until);
}

Client::Done ClientImpl::TellCaches(Clock clock, absl::Span<const RowPush> pushes, Done done) {
  std::vector<CachedRows*> told;
  for (const RowPush& push : pushes) {
    CachedRows* const cache = caches_[push.table].get();
    if (cache == nullptr) continue;
    cache->BeginPush(push.keys, push.gradients);
    told.push_back(cache);
  }
  if (told.empty()) return done;
  return [this, clock, told, done = std::move(done)](const absl::Status& pushed) {
    // What a shard left out, as it was not finite, is not in the rows there.
    for (CachedRows* const cache : told) cache->EndPush(pushed.ok() && skipped_ != clock + 1);
    done(pushed);
  };
}

Client::RowCacheCounts ClientImpl::row_cache() const {
  RowCacheCounts all;
  for (const auto& cache : caches_) {
    if (cache == nullptr) continue;
    const CachedRows::Counts counts = cache->counts();
    all.wanted += counts.wanted;
    all.found += counts.found;
  }
  return all;
}

}  // namespace syncline
