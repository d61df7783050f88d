#include "worker/client/route_table.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/cluster/shard_map.h"
#include "common/rpc/completion_loop.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_matchers.h"
#include "grpcpp/completion_queue.h"
#include "gtest/gtest.h"
#include "worker/client/call_group.h"

namespace syncline {
namespace {

using absl::StatusCode;

// Nobody listens there.
constexpr char kLeaver[] = "127.0.0.1:1";
constexpr Clock kStep = 10;

// Says which maps it knows, and at first, if it is to, that it is not there.
class FakeShard final : public ParameterServer::Service {
 public:
  grpc::Status GetMap(grpc::ServerContext*, const GetMapRequest*, GetMapReply* reply) override {
    absl::MutexLock lock(&mu_);
    if (away_-- > 0) return {grpc::StatusCode::UNAVAILABLE, "away"};
    for (const MapVersion& version : versions_) *reply->add_maps() = version;
    return grpc::Status::OK;
  }
  void Know(std::vector<MapVersion> versions, int away = 0) {
    absl::MutexLock lock(&mu_);
    versions_ = std::move(versions);
    away_ = away;
  }

 private:
  absl::Mutex mu_;
  std::vector<MapVersion> versions_ ABSL_GUARDED_BY(mu_);
  int away_ ABSL_GUARDED_BY(mu_) = 0;
};

// In sync, a shard stays and another one has no place from step kStep on.
class RouteTableTest : public testing::Test {
 protected:
  ~RouteTableTest() override {
    table_.reset();
    group_.Close();
  }

  MapVersion Version(uint64_t epoch, const std::vector<std::string>& shards, Clock from_step) {
    std::vector<TensorSpec> tensors(1);
    tensors[0].set_name("a");
    tensors[0].add_shape(2100);
    MapVersion version;
    *version.mutable_map() = *MakeShardMap(tensors, shards, 4096, false);
    version.mutable_map()->set_epoch(epoch);
    version.set_from_step(from_step);
    return version;
  }

  RouteTable::Options Options() {
    RouteTable::Options options;
    options.by_step = true;
    options.connect = [this](const std::string& address) -> absl::StatusOr<ShardConnection*> {
      ShardConnection::Options connection;
      connection.address = address;
      absl::MutexLock lock(&mu_);
      connections_.push_back(*ShardConnection::Create(connection, &group_, {&queue_}));
      return connections_.back().get();
    };
    options.message_bytes = [](const ShardConnection&) { return size_t{1} << 20; };
    return options;
  }

  FakeShard shard_;
  std::unique_ptr<ServerRuntime> server_ = *ServerRuntime::Start({}, {&shard_});
  const std::string stayer_ = server_->address();
  const MapVersion both_ = Version(1, {stayer_, kLeaver}, 0), one_ = Version(2, {stayer_}, kStep);
  grpc::CompletionQueue queue_;
  CompletionLoop loop_{&queue_};
  CallGroup group_;
  absl::Mutex mu_;
  std::vector<std::unique_ptr<ShardConnection>> connections_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<RouteTable> table_;
};

// A connection to a shard that was to leave broke while a pull of a step before that waited there: the pull was held
// back until there would be another map for its step, which there was not, and training stood still for a minute.
TEST_F(RouteTableTest, AShardThatIsToLeaveIsAskedForTheStepsBeforeThat) {
  shard_.Know({both_, one_});
  table_ = std::make_unique<RouteTable>(Options());
  SYNCLINE_ASSERT_OK(table_->Start(both_.map()));
  EXPECT_EQ(table_->For(kStep - 1)->epoch(), 1u);
  EXPECT_EQ(table_->For(kStep)->epoch(), 2u);
  EXPECT_FALSE(table_->Lacks(kLeaver, kStep - 1));
  EXPECT_TRUE(table_->Lacks(kLeaver, kStep));
  EXPECT_TRUE(table_->Lacks(kLeaver, RouteTable::kNewest));
  EXPECT_FALSE(table_->Lacks(stayer_, kStep));
}

TEST_F(RouteTableTest, WhenAMapIsInForceWhatWasSaidBeforeGoesByItToo) {
  shard_.Know({both_, one_});
  table_ = std::make_unique<RouteTable>(Options());
  SYNCLINE_ASSERT_OK(table_->Start(both_.map()));
  absl::Notification there;
  table_->Await(1, kStep - 1, [&there](const absl::Status& status) {
    SYNCLINE_EXPECT_OK(status);
    there.Notify();
  });
  EXPECT_EQ(table_->For(kStep - 1)->epoch(), 1u);
  shard_.Know({one_});
  there.WaitForNotification();
  EXPECT_EQ(table_->For(kStep - 1)->epoch(), 2u);
  EXPECT_TRUE(table_->Lacks(kLeaver, kStep - 1)) << "it may have gone";
}

// The coordinator says which map is the newest, and not from which step on it holds.
TEST_F(RouteTableTest, WithoutAWordFromAShardNobodyKnowsFromWhenAMapHolds) {
  shard_.Know({both_, one_}, 3);
  table_ = std::make_unique<RouteTable>(Options());
  SYNCLINE_ASSERT_OK(table_->Start(one_.map()));
  EXPECT_EQ(table_->For(kStep - 1)->epoch(), 1u);
}

TEST_F(RouteTableTest, AStartWithoutShardsEnds) {
  shard_.Know({}, 1 << 30);
  RouteTable::Options options = Options();
  options.patience = absl::ZeroDuration();
  EXPECT_THAT(RouteTable(options).Start(one_.map()), StatusIs(StatusCode::kUnavailable));
  options.patience = absl::InfiniteDuration();
  options.stop = [] { return true; };
  EXPECT_THAT(RouteTable(options).Start(one_.map()), StatusIs(StatusCode::kCancelled));
}

}  // namespace
}  // namespace syncline
