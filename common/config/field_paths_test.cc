#include "common/config/field_paths.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/job.pb.h"

namespace syncline {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

TEST(FieldPathsTest, JoinsAndStrips) {
  EXPECT_EQ(JoinFieldPath("", "data"), "data");
  EXPECT_EQ(JoinFieldPath("data", "std"), "data.std");
  EXPECT_EQ(SchemaPath("model.layers[12].linear.units"), "model.layers.linear.units");
  EXPECT_EQ(FlagNameOfField("optimizer.schedule.kind"), "optimizer_schedule_kind");
}

TEST(FieldPathsTest, ListsSettableFields) {
  const std::vector<std::string> fields = SettableFields(*JobManifest::descriptor());
  EXPECT_EQ(fields.front(), "name");
  EXPECT_THAT(fields, Contains("model.layers"));
  EXPECT_THAT(fields, Contains("optimizer.schedule.gamma"));
  EXPECT_THAT(fields, Not(Contains("optimizer")));
  EXPECT_THAT(fields, Not(Contains("model.layers.linear.units")));
}

TEST(FieldPathsTest, FindsEachSettableField) {
  JobManifest job;
  for (const std::string& path : SettableFields(*JobManifest::descriptor())) {
    EXPECT_NE(FindField(path, &job).field, nullptr) << path;
  }
  const FoundField found = FindField("optimizer.schedule.gamma", &job);
  EXPECT_EQ(found.parent, job.mutable_optimizer()->mutable_schedule());
  EXPECT_EQ(found.field->name(), "gamma");
}

TEST(FieldPathsTest, FindsNothingElsewhere) {
  JobManifest job;
  for (const char* path : {"", "x", "name.x", "optimizer.x", "model.layers.linear"}) {
    EXPECT_EQ(FindField(path, &job).field, nullptr) << path;
  }
}

TEST(FieldPathsTest, VisitsWhatIsSet) {
  JobManifest job;
  job.set_seed(0);
  job.mutable_model()->add_layers()->mutable_relu();
  job.mutable_model()->add_layers()->mutable_linear()->set_units(3);
  std::vector<std::string> paths;
  VisitFields(job, "",
              [&](const std::string& path, const google::protobuf::Message&,
                  const google::protobuf::FieldDescriptor&) { paths.push_back(path); });
  EXPECT_THAT(paths, ElementsAre("model.layers[1].linear.units", "seed"));
}

}  // namespace
}  // namespace syncline
