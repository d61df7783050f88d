#ifndef SYNCLINE_COMMON_THREADS_THREAD_POOL_H_
#define SYNCLINE_COMMON_THREADS_THREAD_POOL_H_

#include <cstddef>
#include <functional>
#include <list>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"

namespace syncline {

// Threads that help whoever has much to do. Thread-safe: several callers share them, each goes on
// with its own work meanwhile, so a call never waits for a thread to be free.
class ThreadPool {
 public:
  // `helpers` threads beside the callers' own; 0 is fine.
  explicit ThreadPool(int helpers);
  // No call may be under way.
  ~ThreadPool();

  // As ParallelFor (common/threads/parallel_for.h). `body` may call For.
  void For(size_t count, const std::function<void(size_t)>& body);

 private:
  struct Job {
    const std::function<void(size_t)>& body;
    const size_t count;
    size_t next = 0;  // not begun yet
    size_t done = 0;
  };

  // Does what is left of a job, in turns with others. Without mu_ while a body runs.
  void Work(Job* job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Help();

  absl::Mutex mu_;
  // Of which something has not begun yet.
  std::list<Job*> jobs_ ABSL_GUARDED_BY(mu_);
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> helpers_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_THREADS_THREAD_POOL_H_
