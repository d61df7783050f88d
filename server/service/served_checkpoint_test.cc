#include "server/service/served_checkpoint.h"

#include "common/io/fault_file_system.h"
#include "common/status/status_matchers.h"
#include "common/wire/chunk_message.h"
#include "common/wire/message.h"
#include "common/wire/protocol_version.h"
#include "server/durability/checkpoint_samples.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

PullRequest PullOf(std::vector<uint32_t> chunks) {
  PullRequest pull;
  pull.mutable_sender()->set_protocol(kProtocolVersion);
  pull.mutable_sender()->set_incarnation(1);
  pull.set_observer(true);
  pull.mutable_chunks()->Assign(chunks.begin(), chunks.end());
  return pull;
}

TEST(ServePartTest, IsReadStrictly) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const ServePart part, ParseServePart("2/3"));
  EXPECT_EQ(part.index, 2u);
  EXPECT_EQ(part.count, 3u);
  for (const char* text : {"", "1", "3/3", "-1/2", "0/0", "0/1/2", "a/b", "0/5000"}) {
    EXPECT_THAT(ParseServePart(text), StatusIs(StatusCode::kInvalidArgument, HasSubstr("--serve_part"))) << text;
  }
}

TEST(ServedCheckpointTest, AnswersObserversOfItsPart) {
  FaultFileSystem files;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder, WriteSample(files, "/c", 2, 42));
  uint64_t bytes = 0;
  for (uint32_t part = 0; part < 2; ++part) {
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto served, ServedCheckpoint::Load(files, folder, {part, 2}));
    EXPECT_EQ(served->step(), 42u);
    EXPECT_EQ(served->job(), "sample");
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const GetMapReply map, served->GetMap());
    EXPECT_EQ(map.maps(0).map().shards(static_cast<int>(part)).empty(), false);
    EXPECT_EQ(map.maps(0).map().shards(static_cast<int>(1 - part)), "");
    const std::vector<uint32_t> own = OwnedChunks(map.maps(0).map(), part);
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto buffer, served->Pull(EncodeMessage(PullOf(own))));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const DecodedPullReply reply, DecodePullReply(buffer));
    EXPECT_EQ(reply.head.clock(), 42u);
    ASSERT_EQ(reply.chunks.size(), own.size());
    for (const WireChunk& chunk : reply.chunks) {
      float first = 0;
      FloatReader(chunk.data).Copy(sizeof(float), reinterpret_cast<char*>(&first));
      EXPECT_EQ(first, 1000.0f * static_cast<float>(chunk.chunk));
    }
    bytes += served->bytes();
    EXPECT_FALSE(served->Pull(EncodeMessage(PullOf(OwnedChunks(map.maps(0).map(), 1 - part)))).ok());
  }
  // The optimizer's state stays in the checkpoint.
  EXPECT_EQ(bytes, 1203 * sizeof(float));
}

TEST(ServedCheckpointTest, RefusesMembersAndDamage) {
  FaultFileSystem files;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::string folder, WriteSample(files, "/c", 1, 42));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto served, ServedCheckpoint::Load(files, folder, {}));
  PullRequest pull = PullOf({0});
  pull.set_observer(false);
  EXPECT_THAT(served->Pull(EncodeMessage(pull)), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("observer")));
  SYNCLINE_ASSERT_OK(files.RemoveFile(folder + "/shard-00000.safetensors"));
  EXPECT_THAT(ServedCheckpoint::Load(files, folder, {}), StatusIs(StatusCode::kDataLoss, HasSubstr("shard-00000")));
}

}  // namespace
}  // namespace syncline
