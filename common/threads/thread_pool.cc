#include "common/threads/thread_pool.h"

namespace syncline {

ThreadPool::ThreadPool(int helpers) {
  for (int i = 0; i < helpers; ++i) helpers_.emplace_back([this] { Help(); });
}

ThreadPool::~ThreadPool() {
  {
    absl::MutexLock lock(&mu_);
    closing_ = true;
  }
  for (std::thread& helper : helpers_) helper.join();
}

void ThreadPool::For(size_t count, const std::function<void(size_t)>& body) {
  if (count == 0) return;
  Job job{body, count};
  absl::MutexLock lock(&mu_);
  jobs_.push_back(&job);
  Work(&job);
  const auto all_done = [&job] { return job.done == job.count; };
  mu_.Await(absl::Condition(&all_done));
}

void ThreadPool::Work(Job* job) {
  while (job->next < job->count) {
    const size_t i = job->next++;
    if (job->next == job->count) jobs_.remove(job);
    mu_.Unlock();
    job->body(i);
    mu_.Lock();
    // The last thing done to a job: its owner may be gone once all is done and mu_ is free.
    if (++job->done == job->count) return;
  }
}

void ThreadPool::Help() {
  absl::MutexLock lock(&mu_);
  const auto needed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return closing_ || !jobs_.empty();
  };
  while (true) {
    mu_.Await(absl::Condition(&needed));
    if (closing_) return;
    Work(jobs_.front());
  }
}

}  // namespace syncline
