#include "common/config/message_reader.h"

#include "common/status/status_matchers.h"
#include "proto/job.pb.h"

namespace syncline {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;

absl::Status Read(absl::string_view yaml, JobManifest* job) {
  const absl::StatusOr<YamlNode> node = ParseYaml(yaml, "f");
  if (!node.ok()) return node.status();
  FieldLog log("f");
  MessageReader("f", &log).ReadMessage(*node, "", job);
  return log.ToStatus();
}

absl::Status Read(absl::string_view yaml) {
  JobManifest job;
  return Read(yaml, &job);
}

auto Refused(const char* message) {
  return StatusIs(absl::StatusCode::kInvalidArgument, Eq(message));
}

TEST(MessageReaderTest, ReadsMessagesWithinMessages) {
  JobManifest job;
  SYNCLINE_ASSERT_OK(Read("name: x\noptimizer: {schedule: {kind: inverse_sqrt}}\n", &job));
  EXPECT_EQ(job.name(), "x");
  EXPECT_EQ(job.optimizer().schedule().kind(), INVERSE_SQRT);
  EXPECT_FALSE(job.has_model());
}

TEST(MessageReaderTest, ReadsChoicesByNameOrWithSettings) {
  JobManifest job;
  SYNCLINE_ASSERT_OK(
      Read("model:\n"
           "  layers:\n"
           "    - linear: {units: 512, bias: false}\n"
           "    - relu\n"
           "    - tanh: {}\n"
           "    - dropout:\n"
           "        rate: 0.5\n"
           "    - layer_norm:\n",
           &job));
  const auto& layers = job.model().layers();
  ASSERT_EQ(layers.size(), 5);
  EXPECT_EQ(layers[0].linear().units(), 512u);
  EXPECT_FALSE(layers[0].linear().bias());
  EXPECT_TRUE(layers[1].has_relu());
  EXPECT_TRUE(layers[2].has_tanh());
  EXPECT_EQ(layers[3].dropout().rate(), 0.5);
  EXPECT_TRUE(layers[4].has_layer_norm());
}

TEST(MessageReaderTest, UnknownFieldsComeWithTheNearestName) {
  EXPECT_THAT(Read("epoch: 1\n"), Refused("f:1:1: epoch: unknown field; did you mean epochs?"));
  EXPECT_THAT(Read("data: {test_fractoin: 0.5}\n"),
              Refused("f:1:8: data.test_fractoin: unknown field; did you mean test_fraction?"));
  EXPECT_THAT(Read("checkpoint: {zzzzzz: 1}\n"),
              Refused("f:1:14: checkpoint.zzzzzz: unknown field; known here are directory, "
                      "interval_steps, keep"));
}

TEST(MessageReaderTest, MisplacedFieldsComeWithTheirPlace) {
  EXPECT_THAT(
      Read("learning_rate: 1\n"),
      Refused("f:1:1: learning_rate: unknown field; did you mean optimizer.learning_rate?"));
}

TEST(MessageReaderTest, WrongTypesSayWhatIsExpected) {
  EXPECT_THAT(Read("epochs: [1]\n"), Refused("f:1:9: epochs: is a list, not a whole number"));
  EXPECT_THAT(Read("epochs:\n"), Refused("f:1:1: epochs: has no value, not a whole number"));
  EXPECT_THAT(Read("epochs: \"1\"\n"), Refused("f:1:9: epochs: \"1\" is not a whole number"));
  EXPECT_THAT(Read("sync_mode: {}\n"),
              Refused("f:1:12: sync_mode: is a map, not one of sync, bounded, async"));
  EXPECT_THAT(Read("checkpoint: here\n"),
              Refused("f:1:13: checkpoint: is a single value where fields are expected: "
                      "directory, interval_steps, keep"));
  EXPECT_THAT(Read("- a\n"), StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("f:1:1: is a list where fields are expected")));
  EXPECT_THAT(Read("model: {layers: relu}\n"),
              Refused("f:1:17: model.layers: is a single value, not a list"));
}

TEST(MessageReaderTest, RefusesOtherChoices) {
  EXPECT_THAT(Read("model: {layers: [rellu]}\n"),
              Refused("f:1:18: model.layers[0]: rellu is not one of linear, relu, gelu, tanh, "
                      "sigmoid, dropout, layer_norm, embedding, "
                       "attention, residual, parallel, sum, factorization, interaction; did you mean relu?"));
  EXPECT_THAT(Read("model: {layers: [relu: {x: 1}]}\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("model.layers[0].relu.x: unknown field")));
  for (const char* layer : {"{relu: {}, tanh: {}}", "{}", "[]", "~"}) {
    EXPECT_THAT(Read(std::string("model: {layers: [") + layer + "]}\n"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expects one name")))
        << layer;
  }
}

TEST(MessageReaderTest, ReportsEveryMistake) {
  EXPECT_THAT(Read("epoch: 1\nseed: x\n"),
              Refused("f:1:1: epoch: unknown field; did you mean epochs?\n"
                      "f:2:7: seed: x is not a whole number"));
}

}  // namespace
}  // namespace syncline
