// Metadata in a real etcd: nothing is lost, one coordinator writes at a time, and another takes the place of
// one that dies.

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/config/manifest.h"
#include "common/config/manifest_writer.h"
#include "common/io/posix_file_system.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_matchers.h"
#include "common/time/steady_now.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/coordinator/etcd_store.h"
#include "server/coordinator/test_records.h"
#include "tests/integration/etcd_process.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EtcdStoreTest : public testing::Test {
 protected:
  EtcdStore::Options Options() {
    EtcdStore::Options options;
    options.address = *ParseEtcdAddress(etcd_.url("/jobs/one"), "");
    options.lease = absl::Seconds(2);
    return options;
  }
  std::unique_ptr<MetadataStore> Open() {
    auto store = EtcdStore::Open(Options());
    SYNCLINE_EXPECT_OK(store.status());
    return store.ok() ? *std::move(store) : nullptr;
  }
  // As somebody with etcdctl might: nobody leads any more.
  void TakePlaceAway() {
    const auto etcd = EtcdClient::Create(Options().address.endpoints, {});
    etcdserverpb::TxnRequest request;
    request.add_success()->mutable_request_delete_range()->set_key("/jobs/one/leader");
    SYNCLINE_EXPECT_OK((*etcd)->Transact(request).status());
  }

  EtcdProcess etcd_;
};

TEST_F(EtcdStoreTest, TheNextOneReadsWhatWasAppended) {
  MetadataRecord large;  // larger than etcd takes at once
  large.set_checkpoint(std::string(5 << 20, 'x'));
  {
    const auto store = Open();
    SYNCLINE_EXPECT_OK(store->Append(Scaled(1), false));
    SYNCLINE_EXPECT_OK(store->Append(large, false));
    SYNCLINE_EXPECT_OK(store->Append(Scaled(3), true));
    etcd_.Kill();  // before it is told that this one leaves
  }
  etcd_.Start();
  const auto store = Open();
  EXPECT_THAT(ShardsOf(store.get()), ElementsAre(1, 0, 3));
  EXPECT_EQ((*store->Read())[1].checkpoint(), large.checkpoint());
}

TEST_F(EtcdStoreTest, WhatWasBeforeTheBeginningIsGone) {
  {
    const auto store = Open();
    for (const uint32_t n : {1, 2, 3}) SYNCLINE_EXPECT_OK(store->Append(Scaled(n), true));
    SYNCLINE_EXPECT_OK(store->Begin(Scaled(4)));
    SYNCLINE_EXPECT_OK(store->Append(Scaled(5), true));
  }
  {
    const auto store = Open();
    EXPECT_THAT(ShardsOf(store.get()), ElementsAre(4, 5));
    SYNCLINE_EXPECT_OK(store->Append(Scaled(6), true));
  }
  EXPECT_THAT(ShardsOf(Open().get()), ElementsAre(4, 5, 6));
}

TEST_F(EtcdStoreTest, ASecondCoordinatorStandsBy) {
  auto first = Open();
  int waited = 0, asked = 0;
  EtcdStore::Options options = Options();
  options.waiting = [&] { ++waited; };
  options.stop = [&] {
    if (++asked == 40) {
      SYNCLINE_EXPECT_OK(first->Append(Scaled(7), true)) << "two leases later";
      first.reset();
    }
    return asked > 100;
  };
  const auto second = EtcdStore::Open(options);
  SYNCLINE_ASSERT_OK(second.status());
  EXPECT_EQ(waited, 1);
  EXPECT_LT(asked, 50) << "it is told at once";
  EXPECT_THAT(ShardsOf(second->get()), ElementsAre(7));
}

TEST_F(EtcdStoreTest, WhoeverWasSupersededChangesNothing) {
  absl::Notification deposed;
  EtcdStore::Options options = Options();
  options.deposed = [&](const absl::Status&) { deposed.Notify(); };
  auto first = EtcdStore::Open(options);
  SYNCLINE_ASSERT_OK(first.status());
  SYNCLINE_EXPECT_OK((*first)->Append(Scaled(1), true));
  TakePlaceAway();
  const auto second = Open();
  EXPECT_THAT((*first)->Append(Scaled(2), true),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another coordinator")));
  EXPECT_TRUE(deposed.HasBeenNotified());
  first->reset();
  SYNCLINE_EXPECT_OK(second->Append(Scaled(3), true)) << "the first one's end takes nothing away";
  EXPECT_THAT(ShardsOf(second.get()), ElementsAre(1, 3));
}

TEST_F(EtcdStoreTest, AnEtcdThatIsAwayForAMomentIsWaitedFor) {
  EtcdStore::Options options = Options();
  options.lease = absl::Minutes(1);
  const auto opened = EtcdStore::Open(options);
  SYNCLINE_ASSERT_OK(opened.status());
  MetadataStore* const store = opened->get();
  SYNCLINE_EXPECT_OK(store->Append(Scaled(1), true));
  etcd_.Kill();
  SYNCLINE_EXPECT_OK(store->Append(Scaled(2), false));
  etcd_.Start();
  // It has an election first.
  while (!store->Append(Scaled(3), true).ok()) absl::SleepFor(absl::Milliseconds(100));
  EXPECT_THAT(ShardsOf(store).front(), 1);
  EXPECT_THAT(ShardsOf(store).back(), 3);
}

TEST_F(EtcdStoreTest, WhoHearsNothingOfEtcdForALeaseGivesUpItsPlace) {
  absl::Notification deposed;
  EtcdStore::Options options = Options();
  options.deposed = [&](const absl::Status&) { deposed.Notify(); };
  const auto store = EtcdStore::Open(options);
  SYNCLINE_ASSERT_OK(store.status());
  etcd_.Kill();
  EXPECT_TRUE(deposed.WaitForNotificationWithTimeout(absl::Seconds(20)));
  EXPECT_THAT((*store)->Append(Scaled(1), true), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(EtcdAddressTest, IsReadOrRefused) {
  const auto address = ParseEtcdAddress("etcd://a:2379,[::1]:2380/jobs/x/", "/default");
  SYNCLINE_ASSERT_OK(address.status());
  EXPECT_THAT(address->endpoints, ElementsAre("a:2379", "[::1]:2380"));
  EXPECT_EQ(address->prefix, "/jobs/x");
  EXPECT_EQ(ParseEtcdAddress("etcd://a:2379", "/default")->prefix, "/default");
  for (const char* const bad : {"etcd:/a:1", "etcd://", "etcd://a", "etcd://a:0", "etcd://a:1,,b:2",
                                "etcd://a:65536", "etcd://:1", "etcd://a:1/"}) {
    EXPECT_THAT(ParseEtcdAddress(bad, "/default").status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(bad)));
  }
}

// Real processes: the one that leads is killed, and the one that stood by goes on at the same address.
TEST(EtcdCoordinatorTest, AnotherTakesTheKilledOnesPlace) {
  EtcdProcess etcd;
  JobManifest job = SmallJob(40, 300, 4000);
  job.set_workers(2);
  job.set_shards(2);
  SYNCLINE_ASSERT_OK(CompleteManifest(&job));
  JobManifest other = job;
  other.mutable_checkpoint()->set_directory(FreshFolder("undisturbed"));
  const Weights undisturbed = TrainedWeights(other);

  const std::string folder = FreshFolder("coordinators");
  SYNCLINE_ASSERT_OK(PosixFileSystem().CreateFolder(folder));
  SYNCLINE_ASSERT_OK(WriteFileAtomically(PosixFileSystem(), folder + "/job.yaml", SerializeManifest(job)));
  const std::string address = FreeAddress();
  const auto start = [&](const std::string& name) {
    auto process = ChildProcess::Start(
        name,
        {"server/coordinator/syncline-coordinator", absl::StrCat("--job=", folder, "/job.yaml"),
         absl::StrCat("--listen=", address), absl::StrCat("--metadata=", etcd.url("/jobs/one")),
         "--member_lease=2s", "--http_port=-1"},
        absl::StrCat(folder, "/", name));
    SYNCLINE_EXPECT_OK(process.status());
    return *std::move(process);
  };
  const auto first = start("first");
  const auto stub = Coordinator::NewStub(*MakeChannel(address, {}));
  const auto wait_until = [&](const std::function<bool(const ClusterStatusReply&)>& done) {
    for (const absl::Time end = SteadyNow() + absl::Minutes(1); SteadyNow() < end;) {
      const auto status = CallUntil<ClusterStatusReply>(end, "asking", *stub, &Coordinator::Stub::ClusterStatus,
                                                        ClusterStatusRequest(), absl::Seconds(2));
      if (status.ok() && done(*status)) return true;
      absl::SleepFor(absl::Milliseconds(20));
    }
    return false;
  };
  ASSERT_TRUE(wait_until([](const ClusterStatusReply&) { return true; })) << LastLines(first->log(), 5);
  const auto second = start("second");

  std::vector<std::unique_ptr<ShardServer>> shards;
  std::vector<absl::Status> results(2);
  std::vector<std::thread> workers;
  for (int i = 0; i < 2; ++i) {
    ShardServer::Options shard;
    shard.coordinator = address;
    auto server = ShardServer::Start(shard);
    SYNCLINE_ASSERT_OK(server.status());
    shards.push_back(*std::move(server));
    WorkerOptions worker;
    worker.coordinator = address;
    worker.name = absl::StrCat("worker-", i);
    worker.step_delay = absl::Milliseconds(5);
    workers.emplace_back([worker, result = &results[i]] { *result = RunWorker(worker); });
  }
  EXPECT_TRUE(wait_until([](const ClusterStatusReply& status) { return status.step() > 50; }));
  first->Kill();
  for (std::thread& worker : workers) worker.join();
  EXPECT_THAT(results, ElementsAre(IsOk(), IsOk()));
  EXPECT_TRUE(wait_until([](const ClusterStatusReply& status) {
    return status.phase() == ClusterStatusReply::FINISHED;
  })) << LastLines(second->log(), 5);
  EXPECT_THAT(LastLines(second->log(), 100), HasSubstr("as coordinator number 2"));
  const auto weights = CheckpointWeights(job.checkpoint().directory());
  SYNCLINE_ASSERT_OK(weights.status());
  EXPECT_EQ(*weights, undisturbed);
}

}  // namespace
}  // namespace syncline
