#include "common/wire/team_message.h"

#include <string>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

TeamMessage Head() {
  TeamMessage head;
  head.set_kind(TeamMessage::ACTIVATION);
  head.set_life(77);
  head.set_number(5);
  head.set_part(3);
  head.mutable_step()->set_layers("0-3, 4");
  return head;
}

TEST(TeamMessageTest, IsPlainProtobufOnTheWire) {
  const std::vector<float> floats = {1.5f, -2.0f, 3.25f};
  const auto buffer = EncodeTeamMessage(Head(), Fragments::Of(floats.data(), sizeof(float) * floats.size()));
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const auto& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  TeamMessage parsed;
  ASSERT_TRUE(parsed.ParseFromString(bytes));
  EXPECT_EQ(parsed.data().size(), 12u);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(floats.data()), 12), parsed.data());
  EXPECT_EQ(parsed.step().layers(), "0-3, 4");

  const auto decoded = DecodeTeamMessage(buffer);
  SYNCLINE_ASSERT_OK(decoded);
  EXPECT_EQ(decoded->head.part(), 3u);
  EXPECT_EQ(decoded->head.life(), 77u);
  EXPECT_EQ(decoded->data.size(), 12u);
}

TEST(TeamMessageTest, RefusesWhatIsNone) {
  const auto error = [](const std::string& bytes) {
    const grpc::Slice slice(bytes);
    const auto decoded = DecodeTeamMessage(grpc::ByteBuffer(&slice, 1));
    return std::string(decoded.status().message());
  };
  TeamMessage odd = Head();
  odd.set_data("12345");
  EXPECT_THAT(error(odd.SerializeAsString()), HasSubstr("5 bytes are no whole number of float32"));
  std::string cut = odd.SerializeAsString();
  cut.pop_back();
  EXPECT_NE(error(cut), "");
  EXPECT_NE(error("\x3a\x02\xff\xff"), "");  // a step that is none
  TeamMessage large;
  large.mutable_step()->set_layers(std::string(100 << 10, '1'));
  EXPECT_THAT(error(large.SerializeAsString()), HasSubstr("fields other than data"));
}

}  // namespace
}  // namespace syncline
