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
  EXPECT_THAT(std::string(wrong.status().message()), testing::HasSubstr("no tensor c; it has a, b"));
}

}  // namespace
}  // namespace syncline
