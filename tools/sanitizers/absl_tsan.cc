// Tells ThreadSanitizer what Abseil's locks order.
//
// The system's Abseil is built without instrumentation, so ThreadSanitizer can't see that
// absl::Mutex orders anything and would report each access under it as a race. This file, linked
// into every program under --config=tsan, takes the place of the library's symbols: each function
// records the happens-before edge and calls the library's own. Unlike a mutex annotation an edge
// knows no readers, so two readers count as ordered; races that this hides are the price.
//
// gRPC hands objects from thread to thread with atomics that can't be seen either, but takes some
// lock on nearly every such way. Locks taken by gRPC itself therefore order everything else that
// passes through gRPC: a race between two handlers is found only if they truly overlap. The way
// without a lock, a batch of a call whose end a completion queue gives out, is ordered likewise.

#include <dlfcn.h>
#include <link.h>
#include <sanitizer/tsan_interface.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace {

// The library's definition of a member function that is defined again below.
template <auto kMethod>
auto Real() {
  static const auto real = [] {
    void* ours;
    static_assert(sizeof(kMethod) >= sizeof(ours), "not the Itanium ABI");
    auto method = kMethod;
    std::memcpy(&ours, &method, sizeof(ours));
    Dl_info info;
    void* theirs = nullptr;
    if (dladdr(ours, &info) != 0 && info.dli_sname != nullptr) {
      theirs = dlsym(RTLD_NEXT, info.dli_sname);
    }
    if (theirs == nullptr) {
      std::fprintf(stderr, "absl_tsan: no definition of %s to call\n", info.dli_sname);
      std::abort();
    }
    std::memcpy(&method, &theirs, sizeof(theirs));
    return method;
  }();
  return real;
}

// The code of gRPC's libraries.
class GrpcCode {
 public:
  static bool Contains(const void* address) {
    static const GrpcCode code;
    const auto a = reinterpret_cast<uintptr_t>(address);
    for (int i = 0; i < code.size_; ++i) {
      if (code.begin_[i] <= a && a < code.end_[i]) return true;
    }
    return false;
  }

 private:
  GrpcCode() {
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* self) {
          static_cast<GrpcCode*>(self)->Add(*info);
          return 0;
        },
        this);
  }

  void Add(const dl_phdr_info& info) {
    if (strstr(info.dlpi_name, "/libgrpc") == nullptr &&
        strstr(info.dlpi_name, "/libgpr") == nullptr) {
      return;
    }
    for (int i = 0; i < info.dlpi_phnum && size_ < kMax; ++i) {
      const auto& header = info.dlpi_phdr[i];
      if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
      begin_[size_] = info.dlpi_addr + header.p_vaddr;
      end_[size_++] = info.dlpi_addr + header.p_vaddr + header.p_memsz;
    }
  }

  static constexpr int kMax = 8;
  int size_ = 0;
  uintptr_t begin_[kMax];
  uintptr_t end_[kMax];
};

// Stands for all of gRPC.
char grpc_sync;

// The mutex whose conditions the library may evaluate now, on this thread.
thread_local void* current = nullptr;

// Around a call into the library that acquires, releases or gives up and regains `mu`.
class Edge {
 public:
  Edge(void* mu, bool release, bool acquire, const void* caller)
      : mu_(mu), acquire_(acquire), grpc_(GrpcCode::Contains(caller)), outer_(current) {
    current = mu;
    if (!release) return;
    __tsan_release(mu);
    if (grpc_) __tsan_release(&grpc_sync);
  }

  ~Edge() {
    current = outer_;
    if (!acquire_) return;
    __tsan_acquire(mu_);
    if (grpc_) __tsan_acquire(&grpc_sync);
  }

 private:
  void* const mu_;
  const bool acquire_;
  const bool grpc_;
  void* const outer_;
};

// Where absl::Notification keeps its flag, which HasBeenNotified() reads in our own code.
void* FlagOf(const absl::Notification* notification) {
  static_assert(sizeof(absl::Notification) == 2 * sizeof(absl::Mutex), "other layout");
  return const_cast<char*>(reinterpret_cast<const char*>(notification)) + sizeof(absl::Mutex);
}

}  // namespace

// gRPC's C functions, declared here as not every program has its headers. They are called through
// the dynamic symbol table, so these take their place where gRPC is linked at all.
struct GrpcEvent {  // grpc_event: the size is all that matters
  int type;
  int success;
  void* tag;
};
struct GrpcTime {  // gpr_timespec
  int64_t seconds;
  int32_t nanos;
  int32_t clock;
};

extern "C" {

__attribute__((visibility("default"))) int grpc_call_start_batch(void* call, const void* ops,
                                                                 size_t count, void* tag,
                                                                 void* reserved) {
  using Function = int (*)(void*, const void*, size_t, void*, void*);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "grpc_call_start_batch"));
  __tsan_release(&grpc_sync);
  return real(call, ops, count, tag, reserved);
}

__attribute__((visibility("default"))) GrpcEvent grpc_completion_queue_next(void* queue,
                                                                            GrpcTime deadline,
                                                                            void* reserved) {
  using Function = GrpcEvent (*)(void*, GrpcTime, void*);
  static const auto real =
      reinterpret_cast<Function>(dlsym(RTLD_NEXT, "grpc_completion_queue_next"));
  const GrpcEvent event = real(queue, deadline, reserved);
  __tsan_acquire(&grpc_sync);
  return event;
}

}  // extern "C"

#define ACQUIRING(mu) const Edge edge(mu, false, true, __builtin_return_address(0))
#define RELEASING(mu) const Edge edge(mu, true, false, __builtin_return_address(0))
#define WAITING(mu) const Edge edge(mu, true, true, __builtin_return_address(0))

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  ACQUIRING(this);
  (this->*Real<&Mutex::Lock>())();
}

void Mutex::Unlock() {
  RELEASING(this);
  (this->*Real<&Mutex::Unlock>())();
}

bool Mutex::TryLock() {
  ACQUIRING(this);
  return (this->*Real<&Mutex::TryLock>())();
}

void Mutex::ReaderLock() {
  ACQUIRING(this);
  (this->*Real<&Mutex::ReaderLock>())();
}

void Mutex::ReaderUnlock() {
  RELEASING(this);
  (this->*Real<&Mutex::ReaderUnlock>())();
}

bool Mutex::ReaderTryLock() {
  ACQUIRING(this);
  return (this->*Real<&Mutex::ReaderTryLock>())();
}

void Mutex::Await(const Condition& condition) {
  WAITING(this);
  (this->*Real<&Mutex::Await>())(condition);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  WAITING(this);
  return (this->*Real<&Mutex::AwaitWithTimeout>())(condition, timeout);
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  WAITING(this);
  return (this->*Real<&Mutex::AwaitWithDeadline>())(condition, deadline);
}

void Mutex::LockWhen(const Condition& condition) {
  ACQUIRING(this);
  (this->*Real<&Mutex::LockWhen>())(condition);
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  ACQUIRING(this);
  return (this->*Real<&Mutex::LockWhenWithTimeout>())(condition, timeout);
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, Time deadline) {
  ACQUIRING(this);
  return (this->*Real<&Mutex::LockWhenWithDeadline>())(condition, deadline);
}

void Mutex::ReaderLockWhen(const Condition& condition) {
  ACQUIRING(this);
  (this->*Real<&Mutex::ReaderLockWhen>())(condition);
}

bool Mutex::ReaderLockWhenWithTimeout(const Condition& condition, Duration timeout) {
  ACQUIRING(this);
  return (this->*Real<&Mutex::ReaderLockWhenWithTimeout>())(condition, timeout);
}

bool Mutex::ReaderLockWhenWithDeadline(const Condition& condition, Time deadline) {
  ACQUIRING(this);
  return (this->*Real<&Mutex::ReaderLockWhenWithDeadline>())(condition, deadline);
}

void CondVar::Wait(Mutex* mu) {
  WAITING(mu);
  (this->*Real<&CondVar::Wait>())(mu);
}

bool CondVar::WaitWithTimeout(Mutex* mu, Duration timeout) {
  WAITING(mu);
  return (this->*Real<&CondVar::WaitWithTimeout>())(mu, timeout);
}

bool CondVar::WaitWithDeadline(Mutex* mu, Time deadline) {
  WAITING(mu);
  return (this->*Real<&CondVar::WaitWithDeadline>())(mu, deadline);
}

// The library evaluates a waiter's condition on whichever thread lets the mutex go.
bool Condition::Eval() const {
  void* const mu = current;
  if (mu != nullptr) __tsan_acquire(mu);
  const bool result = (this->*Real<&Condition::Eval>())();
  if (mu != nullptr) __tsan_release(mu);
  return result;
}

void Notification::Notify() {
  RELEASING(FlagOf(this));
  (this->*Real<&Notification::Notify>())();
}

void Notification::WaitForNotification() const {
  ACQUIRING(FlagOf(this));
  (this->*Real<&Notification::WaitForNotification>())();
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  ACQUIRING(FlagOf(this));
  return (this->*Real<&Notification::WaitForNotificationWithTimeout>())(timeout);
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  ACQUIRING(FlagOf(this));
  return (this->*Real<&Notification::WaitForNotificationWithDeadline>())(deadline);
}

bool BlockingCounter::DecrementCount() {
  WAITING(this);
  return (this->*Real<&BlockingCounter::DecrementCount>())();
}

void BlockingCounter::Wait() {
  ACQUIRING(this);
  (this->*Real<&BlockingCounter::Wait>())();
}

ABSL_NAMESPACE_END
}  // namespace absl
