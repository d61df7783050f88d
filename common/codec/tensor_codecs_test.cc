#include "common/codec/tensor_codecs.h"

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(TensorCodecsTest, ATensorsOwnCodecsComeBeforeTheJobs) {
  std::vector<TensorSpec> tensors(2);
  tensors[0].set_name("a");
  tensors[1].set_name("b");
  JobManifest job;
  job.set_push_codec(TOPK);
  TensorCodec* own = job.add_tensor_codecs();
  own->set_tensor("b");
  own->set_push(CODEC_NONE);
  own->set_pull(BF16);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto codecs, CodecsOf(job, tensors));
  EXPECT_EQ(codecs[0].push, TOPK);
  EXPECT_EQ(codecs[0].pull, CODEC_NONE);
  EXPECT_EQ(codecs[1].push, CODEC_NONE);
  EXPECT_EQ(codecs[1].pull, BF16);

  own->set_tensor("c");
  const auto wrong = CodecsOf(job, tensors);
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wrong.status().message()), testing::HasSubstr("no tensor or table c; there are a, b"));
}

TEST(TensorCodecsTest, RowsAreCodedWhereThatMakesThemShorter) {
  std::vector<TensorSpec> tensors(3);
  tensors[0].set_name("a");
  tensors[1].set_name("one");
  tensors[1].mutable_table()->set_dim(1);
  tensors[2].set_name("wide");
  tensors[2].mutable_table()->set_dim(16);
  JobManifest job;
  job.set_push_codec(INT8);
  job.set_pull_codec(FP16);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(auto codecs, CodecsOf(job, tensors));
  EXPECT_EQ(codecs[1].push, CODEC_NONE);
  EXPECT_EQ(codecs[1].pull, FP16);
  EXPECT_EQ(codecs[2].push, INT8);
  job.set_push_codec(TOPK);
  TensorCodec* own = job.add_tensor_codecs();
  own->set_tensor("one");
  own->set_push(BF16);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(codecs, CodecsOf(job, tensors));
  EXPECT_EQ(codecs[0].push, TOPK);
  EXPECT_EQ(codecs[1].push, BF16);
  EXPECT_EQ(codecs[2].push, CODEC_NONE);
}

}  // namespace
}  // namespace syncline
