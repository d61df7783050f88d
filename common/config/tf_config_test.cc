#include "common/config/tf_config.h"

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string Config(const std::string& type, int index, const std::string& chief = "chief") {
  return absl::StrCat(R"({"cluster": {")", chief, R"(": ["a:2222"], "ps": ["b:2222", "c:2223"], "worker": ["d:1"]},)",
                      R"("task": {"type": ")", type, R"(", "index": )", index, R"(}, "environment": "cloud"})");
}

TEST(TfConfigTest, EachTaskGetsItsFlags) {
  EXPECT_THAT(*FlagsOfTfConfig(Config("chief", 0)), ElementsAre(Pair("listen", "0.0.0.0:2222")));
  EXPECT_THAT(*FlagsOfTfConfig(Config("master", 0, "master")), ElementsAre(Pair("listen", "0.0.0.0:2222")));
  EXPECT_THAT(*FlagsOfTfConfig(Config("ps", 1)),
              ElementsAre(Pair("advertise", "c:2223"), Pair("coordinator", "a:2222"),
                          Pair("listen", "0.0.0.0:2223")));
  EXPECT_THAT(*FlagsOfTfConfig(Config("worker", 7)),
              ElementsAre(Pair("coordinator", "a:2222"), Pair("name", "worker-7")));
  EXPECT_THAT(*FlagsOfTfConfig(Config("evaluator", 0)), ElementsAre(Pair("coordinator", "a:2222")));
}

TEST(TfConfigTest, ErrorsNameTheField) {
  const auto error = [](const std::string& json, const char* what) {
    EXPECT_THAT(FlagsOfTfConfig(json).status(), StatusIs(StatusCode::kInvalidArgument, HasSubstr(what))) << json;
  };
  error("{", "JSON");
  error("{}", "cluster");
  error(R"({"cluster": {}})", "task.type");
  error(Config("ps", 2), "cluster.ps[2]");
  error(R"({"cluster": {"ps": ["b:1"]}, "task": {"type": "ps", "index": 0}})", "cluster.master[0]");
  error(R"({"cluster": {"chief": ["a"]}, "task": {"type": "worker", "index": 0}})", "host:port");
}

}  // namespace
}  // namespace syncline
