#include "server/durability/checkpoint_names.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(CheckpointNamesTest, StepsAndSuffixesComeBack) {
  uint64_t step = 0;
  absl::string_view suffix;
  EXPECT_EQ(CheckpointName(42), "step-0000000042");
  EXPECT_TRUE(ParseCheckpointName("step-0000000042", &step, &suffix));
  EXPECT_EQ(step, 42u);
  EXPECT_EQ(suffix, "");
  const std::string partial = CheckpointName(12345678901) + ".partial";  // `suffix` lies in it
  EXPECT_TRUE(ParseCheckpointName(partial, &step, &suffix));
  EXPECT_EQ(step, 12345678901u);
  EXPECT_EQ(suffix, ".partial");
  EXPECT_TRUE(ParseCheckpointName("step-0000000042.replaced", &step, &suffix));
  for (const char* other : {"step-42", "step-0000000042.tmp", "stop-0000000042", "step-", "",
                            "step-99999999999999999999"}) {
    EXPECT_FALSE(ParseCheckpointName(other, &step, &suffix)) << other;
  }
}

TEST(CheckpointNamesTest, FilesOfShardsComeBack) {
  ShardFileId id;
  EXPECT_TRUE(ParseShardFileName("shard-00003.safetensors", &id));
  EXPECT_EQ(id.shard, 3u);
  EXPECT_EQ(id.kind, FileKind::kDense);
  EXPECT_EQ(id.layer, 0u);
  EXPECT_TRUE(ParseShardFileName("rows-123456.12.safetensors", &id));
  EXPECT_EQ(id.shard, 123456u);
  EXPECT_EQ(id.kind, FileKind::kRows);
  EXPECT_EQ(id.layer, 12u);
  for (const char* other : {"shard-3.safetensors", "shard-00003.0.safetensors", "shard-00003..safetensors",
                            "shard-00003.01.safetensors", "shard-00003.1.safetensors.tmp", "MANIFEST.json",
                            "shard-.safetensors", "rows-00001"}) {
    EXPECT_FALSE(ParseShardFileName(other, &id)) << other;
  }
}

TEST(CheckpointNamesTest, ErrorsNameTheFileOnce) {
  EXPECT_EQ(Naming("/a/b", absl::DataLossError("short")).message(), "/a/b: short");
  EXPECT_EQ(Naming("/a/b", absl::DataLossError("/a/b is short")).message(), "/a/b is short");
  EXPECT_TRUE(Naming("/a/b", absl::OkStatus()).ok());
}

}  // namespace
}  // namespace syncline
