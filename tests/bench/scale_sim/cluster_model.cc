#include "tests/bench/scale_sim/cluster_model.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tests/bench/scale_sim/cores.h"
#include "tests/bench/scale_sim/event_queue.h"
#include "tests/bench/scale_sim/resource.h"

namespace syncline {
namespace {

using Event = EventQueue::Event;

// A process and its host: threads, cores and a card. Without a network, cards pass everything on at once.
struct Host {
  std::shared_ptr<Cores> cores;
  std::unique_ptr<Threads> messages, compute;
  std::unique_ptr<Resource> in, out;
};

class Cluster {
 public:
  Cluster(const ClusterCosts& costs, const ClusterCase& what)
      : costs_(costs),
        case_(what),
        senders_((what.workers + what.workers_a_host - 1) / what.workers_a_host),
        simulated_(std::min(what.shards, kShardsSimulated)),
        // Sampled shards stand for all in what a worker spends on them.
        standing_for_(static_cast<double>(what.shards) / simulated_),
        shard_bytes_(what.model_bytes / what.shards),
        needed_(std::max(senders_ - what.backup_workers, 1)),
        random_(what.seed) {
    if (costs_.one_host_cores > 0) {
      shared_ = std::make_shared<Cores>(&events_, costs_.one_host_cores);
    }
    for (int s = 0; s < simulated_; ++s) {
      shards_.emplace_back();
      shards_.back().host = MakeHost(costs_.shard_cores, costs_.shard_threads, 2, 8);
      shards_.back().committed.assign(static_cast<size_t>(senders_), 0);
      shards_.back().at.assign(static_cast<size_t>(what.steps) + 1, 0);
      shards_.back().at[0] = senders_;
    }
    for (int w = 0; w < senders_; ++w) {
      workers_.emplace_back();
      workers_.back().host = MakeHost(costs_.worker_cores, costs_.worker_threads, 4, 2);
    }
  }

  ClusterSpeed Run() {
    for (int w = 0; w < senders_; ++w) Pull(w);
    events_.Run([this] { return finished_ == senders_; });
    ClusterSpeed speed;
    double begin = 0, end = 0, counted = 0;
    for (const Worker& worker : workers_) {
      begin += worker.warm_at / senders_;
      end += worker.done_at / senders_;
      counted += worker.counted;
    }
    const int warm = case_.steps / 5;
    speed.step_seconds = (end - begin) / (case_.steps - warm);
    speed.worker_steps = counted / (end - begin) * case_.workers / senders_;
    for (const Shard& shard : shards_) {
      speed.shard_busy += shard.host.cores->busy() / simulated_ / events_.now() /
                          (shared_ ? costs_.one_host_cores : costs_.shard_cores);
    }
    return speed;
  }

 private:
  struct Worker {
    Host host;
    int clock = 0;
    int waiting = 0;     // messages of the present phase not yet answered
    bool late = false;   // a backup worker whose step was made without it
    double warm_at = 0, done_at = 0, counted = 0;
  };
  struct Shard {
    Host host;
    std::vector<int> committed;  // by worker: its clock here
    std::vector<int> at;         // by clock: how many workers stand there
    int lowest = 0;              // of all clocks
    int step = 0;                // sync: steps applied
    int there = 0;               // sync: workers that have committed the step being collected
    bool applying = false;
    std::vector<int> pulls;      // workers that wait
  };

  // Unless `threads` says so, one for every `cores_a_thread`.
  Host MakeHost(int cores, int threads, int cores_a_thread, int most) {
    Host host;
    host.cores = shared_ ? shared_ : std::make_shared<Cores>(&events_, cores);
    if (shared_) cores = costs_.one_host_cores;
    if (threads == 0) threads = std::clamp(cores / cores_a_thread, 1, most);
    host.messages = std::make_unique<Threads>(host.cores, threads);
    host.compute = std::make_unique<Threads>(host.cores, 1);
    host.in = std::make_unique<Resource>(&events_, 1);
    host.out = std::make_unique<Resource>(&events_, 1);
    return host;
  }

  // Through one card and the other: a byte arrives as soon as it has left. The worker's card also carries
  // what goes to the shards that are not simulated.
  void Travel(Host* from, Host* to, double from_bytes, double to_bytes, Event there) {
    if (costs_.bandwidth <= 0) return events_.After(costs_.latency, std::move(there));
    const double out = from_bytes / costs_.bandwidth, in = to_bytes / costs_.bandwidth;
    const double sent = from->out->Reserve(out);
    events_.After(sent - std::min(in, out) + costs_.latency,
                  [to, in, there = std::move(there)]() mutable {
                    to->in->Serve(in, std::move(there));
                  });
  }

  double ComputeSeconds() {
    std::normal_distribution<double> normal(0, 1);
    double slowest = 0;
    for (int i = 0; i < case_.workers_a_host; ++i) {
      double seconds = costs_.compute_seconds;
      if (costs_.straggling > 0) seconds *= std::exp(costs_.straggling * normal(random_));
      if (costs_.slow_share > 0 &&
          std::uniform_real_distribution<double>(0, 1)(random_) < costs_.slow_share) {
        seconds *= costs_.slow_factor;
      }
      slowest = std::max(slowest, seconds);
    }
    // The sum is made by all of the host's workers, each of a part.
    const double adding = case_.workers_a_host > 1 ? case_.model_bytes * costs_.add_byte : 0;
    return slowest + adding;
  }

  double CodecSeconds(double share) const { return share < 1 ? costs_.encode_byte : 0; }

  void Pull(int w) {
    Worker& worker = workers_[w];
    worker.waiting = simulated_;
    worker.late = false;
    for (Shard& shard : shards_) {
      events_.After(costs_.latency, [this, w, &shard] {
        if (Granted(shard, w)) {
          AnswerPull(w, &shard);
        } else {
          shard.pulls.push_back(w);
        }
      });
    }
  }

  void AnswerPull(int w, Shard* shard) {
    const double bytes = shard_bytes_ * case_.pull_share;
    const double codec = shard_bytes_ * CodecSeconds(case_.pull_share);
    shard->host.messages->Serve(
        costs_.shard_message + bytes * costs_.shard_byte + codec, [this, w, shard, bytes, codec] {
          Host* const host = &workers_[w].host;
          Travel(&shard->host, host, bytes, bytes * standing_for_, [this, w, host, bytes, codec] {
            const double here = costs_.worker_message + bytes * costs_.worker_byte + codec;
            host->messages->Serve(here * standing_for_, [this, w] {
              if (--workers_[w].waiting == 0) Compute(w);
            });
          });
        });
  }

  // Parts of a shard's gradient that leave one by one. Of many shards each has one; they are made in turn.
  int PartsAShard() const { return std::max(1, (case_.push_parts + simulated_ - 1) / simulated_); }

  void Compute(int w) {
    Worker& worker = workers_[w];
    const double seconds = ComputeSeconds();
    const double backward = case_.backward_share * seconds;
    worker.waiting = simulated_ * PartsAShard();
    worker.host.compute->Serve(seconds - backward, [this, w, backward] {
      Backward(w, 0, backward / (simulated_ * PartsAShard()));
    });
  }

  // Makes gradients, and pushes each part as soon as it is made.
  void Backward(int w, int part, double seconds) {
    if (part == simulated_ * PartsAShard()) return;
    const auto made = [this, w, part, seconds] {
      Push(w, &shards_[part % simulated_]);
      Backward(w, part + 1, seconds);
    };
    // What takes no time does not wait for a turn either.
    seconds > 0 ? workers_[w].host.compute->Serve(seconds, made) : made();
  }

  void Push(int w, Shard* shard) {
    const double floats = shard_bytes_ / PartsAShard();
    const double bytes = floats * case_.push_share;
    const double codec = floats * CodecSeconds(case_.push_share);
    const double here = costs_.worker_message + bytes * costs_.worker_byte + codec;
    workers_[w].host.messages->Serve(here * standing_for_, [this, w, shard, floats, bytes, codec] {
      Travel(&workers_[w].host, &shard->host, bytes * standing_for_, bytes,
             [this, w, shard, floats, bytes, codec] {
               const double apply = case_.mode == SYNC ? 0 : codec + floats * costs_.apply_byte;
               shard->host.messages->Serve(
                   costs_.shard_message + bytes * costs_.shard_byte + apply, [this, w] {
                     events_.After(costs_.latency, [this, w] {
                       if (--workers_[w].waiting == 0) Commit(w);
                     });
                   });
             });
    });
  }

  // The worker goes on to its next pull without waiting for the answer.
  void Commit(int w) {
    Worker& worker = workers_[w];
    const int clock = worker.clock;
    for (Shard& shard : shards_) {
      events_.After(costs_.latency, [this, w, clock, &shard] {
        shard.host.messages->Serve(costs_.shard_message, [this, w, clock, &shard] {
          Count(&shard, w, clock + 1);
        });
      });
    }
    // Of sync, a step made without this worker before it committed was for nothing.
    const bool in_time = case_.mode != SYNC || shards_.front().step <= clock;
    ++worker.clock;
    const int warm = case_.steps / 5;
    if (worker.clock == warm) worker.warm_at = events_.now();
    if (worker.clock > warm && in_time) worker.counted += 1;
    if (case_.mode == SYNC) worker.clock = std::max(worker.clock, shards_.front().step);
    if (worker.clock >= case_.steps) {
      worker.done_at = events_.now();
      if (warm == 0) worker.warm_at = 0;
      ++finished_;
      return;
    }
    Pull(w);
  }

  bool Granted(const Shard& shard, int w) const {
    const int clock = workers_[w].clock;
    return case_.mode == ASYNC || (case_.mode == SYNC && shard.step >= clock) ||
           (case_.mode == BOUNDED && shard.lowest >= clock - case_.staleness);
  }

  // A worker's clock at a shard is `clock` now.
  void Count(Shard* shard, int w, int clock) {
    const int before = shard->committed[w];
    if (clock <= before) return;
    shard->committed[w] = clock;
    if (before <= shard->step && clock > shard->step) ++shard->there;
    --shard->at[before];
    ++shard->at[clock];
    const int lowest = shard->lowest;
    while (shard->at[shard->lowest] == 0) ++shard->lowest;
    if (case_.mode == SYNC) {
      TryApply(shard);
    } else if (shard->lowest > lowest) {
      AnswerWaiting(shard);
    }
  }

  void AnswerWaiting(Shard* shard) {
    std::vector<int> pulls;
    pulls.swap(shard->pulls);
    for (const int w : pulls) {
      if (Granted(*shard, w)) {
        AnswerPull(w, shard);
      } else {
        shard->pulls.push_back(w);
      }
    }
  }

  void TryApply(Shard* shard) {
    if (!shard->applying && shard->there >= needed_ && shard->step < case_.steps) Apply(shard);
  }

  // The sum of all contributions, spread over the shard's cores.
  void Apply(Shard* shard) {
    shard->applying = true;
    const int cores = costs_.one_host_cores > 0 ? 1 : costs_.shard_cores;
    const double codec = shard_bytes_ * CodecSeconds(case_.push_share);
    const double seconds = needed_ * (codec + shard_bytes_ * costs_.apply_byte) / cores;
    const auto left = std::make_shared<int>(cores);
    for (int core = 0; core < cores; ++core) {
      shard->host.cores->Run(seconds, [this, shard, left] {
        if (--*left > 0) return;
        shard->applying = false;
        ++shard->step;
        shard->there = static_cast<int>(
            std::count_if(shard->committed.begin(), shard->committed.end(),
                          [shard](int clock) { return clock > shard->step; }));
        AnswerWaiting(shard);
        TryApply(shard);
      });
    }
  }

  const ClusterCosts costs_;
  const ClusterCase case_;
  const int senders_;
  const int simulated_;
  const double standing_for_;
  const double shard_bytes_;
  const int needed_;
  std::mt19937_64 random_;
  EventQueue events_;
  std::shared_ptr<Cores> shared_;
  std::deque<Shard> shards_;
  std::deque<Worker> workers_;
  int finished_ = 0;
};

absl::Status Outside(const char* what, double is, const char* range) {
  return absl::InvalidArgumentError(absl::StrCat(what, " is ", is, "; accepted: ", range));
}

}  // namespace

absl::StatusOr<ClusterSpeed> Simulate(const ClusterCosts& costs, const ClusterCase& what) {
  if (what.workers < 1 || what.workers > 100000) return Outside("workers", what.workers, "1 to 100000");
  if (what.shards < 1 || what.shards > 10000) return Outside("shards", what.shards, "1 to 10000");
  if (what.steps < 10 || what.steps > 10000) return Outside("steps", what.steps, "10 to 10000");
  if (what.workers_a_host < 1 || what.workers_a_host > what.workers) {
    return Outside("workers_a_host", what.workers_a_host, "1 to workers");
  }
  const int hosts = (what.workers + what.workers_a_host - 1) / what.workers_a_host;
  if (what.backup_workers < 0 || what.backup_workers >= hosts) {
    return Outside("backup_workers", what.backup_workers, "0 to one less than the hosts that push");
  }
  if (costs.compute_seconds <= 0) return Outside("compute_seconds", costs.compute_seconds, "above 0");
  if (what.model_bytes < 0) return Outside("model_bytes", what.model_bytes, "at least 0");
  if (what.push_parts < 1 || what.push_parts > 1000) return Outside("push_parts", what.push_parts, "1 to 1000");
  if (!(what.backward_share >= 0 && what.backward_share <= 1)) {
    return Outside("backward_share", what.backward_share, "0 to 1");
  }
  return Cluster(costs, what).Run();
}

}  // namespace syncline
