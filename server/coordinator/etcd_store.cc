#include "server/coordinator/etcd_store.h"

#include <unistd.h>

#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status_macros.h"
#include "common/time/steady_notification.h"
#include "common/time/steady_now.h"
#include "server/coordinator/metadata_log.h"

namespace syncline {
namespace {

using etcdserverpb::Compare;
using etcdserverpb::TxnRequest;

constexpr absl::Duration kPatience = absl::Seconds(30);  // for an etcd that does not answer
constexpr absl::Duration kPoll = absl::Milliseconds(100);
// How long a durable record may take. A coordinator answers nobody meanwhile.
constexpr absl::Duration kDurableWithin = absl::Seconds(5);
constexpr size_t kPiece = 1 << 20;  // etcd takes 1.5 MiB

class EtcdStoreImpl final : public MetadataStore {
 public:
  EtcdStoreImpl(EtcdStore::Options options, std::unique_ptr<EtcdClient> etcd)
      : options_(std::move(options)),
        leader_key_(options_.address.prefix + "/leader"),
        log_prefix_(options_.address.prefix + "/log/"),
        etcd_(std::move(etcd)) {}

  // Whoever stands by takes the place at once.
  ~EtcdStoreImpl() override {
    {
      absl::MutexLock lock(&mu_);
      closing_ = true;
    }
    closed_.Notify();
    if (writer_.joinable()) writer_.join();
    if (keeper_.joinable()) keeper_.join();
    if (revision_ != 0) etcd_->Revoke(lease_.id).IgnoreError();
  }

  absl::Status Lead() {
    bool told = false;
    for (absl::Time give_up = SteadyNow() + kPatience; revision_ == 0;) {
      const absl::Status status = TryToLead();
      if (status.ok()) {
        give_up = SteadyNow() + kPatience;
      } else if (!IsTransient(status) || (!told && SteadyNow() > give_up)) {
        return status;
      }
      if (revision_ != 0) break;
      if (status.ok() && !std::exchange(told, true) && options_.waiting) options_.waiting();
      if (options_.stop && options_.stop()) return absl::CancelledError("stopped while standing by");
      absl::SleepFor(kPoll);
    }
    {
      absl::MutexLock lock(&mu_);
      SYNCLINE_RETURN_IF_ERROR(LoadLog());
    }
    writer_ = std::thread([this] { WriteLog(); });
    keeper_ = std::thread([this] { KeepLease(); });
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<MetadataRecord>> Read() override {
    absl::MutexLock lock(&mu_);
    return records_;
  }

  absl::Status Append(const MetadataRecord& record, bool durable) override {
    absl::MutexLock lock(&mu_);
    SYNCLINE_RETURN_IF_ERROR(lost_);
    records_.push_back(record);
    unwritten_ += FrameRecord(record);
    return durable ? AwaitWritten() : absl::OkStatus();
  }

  absl::Status Decide(const MetadataRecord& record) override {
    const absl::Status written = Append(record, true);
    if (written.ok()) return written;
    // It may be written yet, and this coordinator would go on as if it were not. The next one reads what came of it.
    absl::MutexLock lock(&mu_);
    Lose(written);
    return written;
  }

  absl::Status Begin(const MetadataRecord& first) override {
    absl::MutexLock lock(&mu_);
    SYNCLINE_RETURN_IF_ERROR(lost_);
    records_ = {first};
    unwritten_ = FrameRecord(first);
    begins_ = true;
    const absl::Status written = AwaitWritten();
    if (!written.ok()) Lose(written);
    return written;
  }

 private:
  // One attempt at the key; revision_ is set if it is ours now.
  absl::Status TryToLead() {
    if (lease_.id == 0 || !etcd_->KeepAlive(lease_.id).ok()) {
      asked_ = SteadyNow();
      SYNCLINE_ASSIGN_OR_RETURN(lease_, etcd_->Grant(options_.lease));
    }
    TxnRequest request;
    *request.add_compare() = LeaderCreatedAt(0);
    etcdserverpb::PutRequest* const put = request.add_success()->mutable_request_put();
    put->set_key(leader_key_);
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    put->set_value(absl::StrCat(host, " ", getpid()));
    put->set_lease(lease_.id);
    const auto reply = etcd_->Transact(request);
    if (!reply.ok()) {
      // The key may be ours, at a revision that nobody told: it goes with its lease.
      lease_ = {};
      return reply.status();
    }
    if (reply->succeeded()) revision_ = reply->header().revision();
    return absl::OkStatus();
  }

  // Holds while the key `leader` is the one that was made at that revision; 0: while there is none.
  Compare LeaderCreatedAt(int64_t revision) const {
    Compare compare;
    compare.set_result(Compare::EQUAL);
    compare.set_target(Compare::CREATE);
    compare.set_key(leader_key_);
    compare.set_create_revision(revision);
    return compare;
  }

  absl::Status LoadLog() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto pieces, etcd_->ReadAll(log_prefix_));
    std::string log;
    for (const auto& piece : pieces) {
      log += piece.value();
      if (!absl::SimpleAtoi(piece.key().substr(log_prefix_.size()), &next_)) {
        return absl::DataLossError(absl::StrCat("--metadata: the key ", piece.key(), " in etcd is none of ours"));
      }
      ++next_;
    }
    size_t end;
    records_ = ParseRecords(log, &end);
    return absl::OkStatus();
  }

  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return closing_ || !lost_.ok() || !unwritten_.empty();
  }
  bool Written() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !lost_.ok() || unwritten_.empty();
  }

  absl::Status AwaitWritten() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const bool written = mu_.AwaitWithTimeout(absl::Condition(this, &EtcdStoreImpl::Written), kDurableWithin);
    SYNCLINE_RETURN_IF_ERROR(lost_);
    if (written) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("--metadata: etcd did not take a record within ",
                                               absl::FormatDuration(kDurableWithin), ": ", trouble_));
  }

  // Writes what was appended, a piece at a time, until the store closes.
  void WriteLog() {
    absl::MutexLock lock(&mu_);
    while (true) {
      mu_.Await(absl::Condition(this, &EtcdStoreImpl::HasWork));
      if (!lost_.ok() || (closing_ && Written())) return;
      const bool begins = begins_;
      const std::string piece = unwritten_.substr(0, kPiece);
      const uint64_t number = next_;
      mu_.Unlock();
      const absl::Status status = Write(begins, number, piece);
      mu_.Lock();
      if (status.ok()) {
        ++next_;
        // Begun anew meanwhile, so none of this counts.
        if (begins_ && !begins) continue;
        begins_ = false;
        unwritten_.erase(0, piece.size());
      } else if (IsTransient(status)) {
        trouble_ = std::string(status.message());
        if (closing_) return;
        mu_.Unlock();
        closed_.WaitForNotificationWithTimeout(kPoll);
        mu_.Lock();
      } else {
        Lose(status);
      }
    }
  }

  // The same piece may be written again: it has the same number. `begins`: in place of all before it.
  absl::Status Write(bool begins, uint64_t number, const std::string& piece) {
    const std::string key = absl::StrFormat("%s%012d", log_prefix_, number);
    TxnRequest request;
    *request.add_compare() = LeaderCreatedAt(revision_);
    if (begins) {
      etcdserverpb::DeleteRangeRequest* const erase = request.add_success()->mutable_request_delete_range();
      erase->set_key(log_prefix_);
      erase->set_range_end(key);
    }
    etcdserverpb::PutRequest* const put = request.add_success()->mutable_request_put();
    put->set_key(key);
    put->set_value(piece);
    SYNCLINE_ASSIGN_OR_RETURN(const auto reply, etcd_->Transact(request));
    if (reply.succeeded()) return absl::OkStatus();
    return absl::FailedPreconditionError("another coordinator leads");
  }

  void KeepLease() {
    while (!closed_.WaitForNotificationWithTimeout(lease_.length / 3)) {
      const absl::Time now = SteadyNow();
      const absl::Status status = etcd_->KeepAlive(lease_.id);
      if (status.ok()) {
        asked_ = now;
        continue;
      }
      absl::MutexLock lock(&mu_);
      if (!IsTransient(status)) return Lose(status);
      trouble_ = std::string(status.message());
      if (SteadyNow() - asked_ > lease_.length) return Lose(status);
    }
  }

  void Lose(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!lost_.ok() || closing_) return;
    lost_ = absl::FailedPreconditionError(
        absl::StrCat("--metadata: another coordinator may lead by now: ", why.message()));
    if (options_.deposed) options_.deposed(lost_);
  }

  const EtcdStore::Options options_;
  const std::string leader_key_;
  const std::string log_prefix_;
  const std::unique_ptr<EtcdClient> etcd_;
  // Set before the threads begin.
  EtcdClient::Lease lease_;
  int64_t revision_ = 0;  // at which the key `leader` became ours; 0: it is not

  absl::Time asked_;  // for the lease, when that was last granted or prolonged; the keeper's alone

  absl::Mutex mu_;
  std::vector<MetadataRecord> records_ ABSL_GUARDED_BY(mu_);
  std::string unwritten_ ABSL_GUARDED_BY(mu_);  // framed
  bool begins_ ABSL_GUARDED_BY(mu_) = false;    // what is unwritten takes the place of the log there
  uint64_t next_ ABSL_GUARDED_BY(mu_) = 0;      // number of the next piece
  std::string trouble_ ABSL_GUARDED_BY(mu_);    // why the last attempt failed
  absl::Status lost_ ABSL_GUARDED_BY(mu_);      // not OK: the place is another's
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  SteadyNotification closed_;
  std::thread writer_;
  std::thread keeper_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetadataStore>> EtcdStore::Open(Options options) {
  SYNCLINE_ASSIGN_OR_RETURN(auto etcd, EtcdClient::Create(options.address.endpoints, options.security));
  auto store = std::make_unique<EtcdStoreImpl>(std::move(options), std::move(etcd));
  SYNCLINE_RETURN_IF_ERROR(store->Lead());
  return std::unique_ptr<MetadataStore>(std::move(store));
}

}  // namespace syncline
