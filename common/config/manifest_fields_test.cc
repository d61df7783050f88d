#include "common/config/manifest_fields.h"

#include <set>

#include "absl/strings/str_split.h"
#include "common/config/field_paths.h"
#include "common/config/scalar_field.h"
#include "common/status/status_matchers.h"
#include "proto/job.pb.h"

namespace syncline {
namespace {

TEST(ManifestFieldsTest, HasARowForEveryField) {
  for (const std::string& path : SettableFields(*JobManifest::descriptor())) {
    EXPECT_NE(FindManifestField(path), nullptr) << path << " has no row in manifest_fields.cc";
  }
  const google::protobuf::Descriptor& layer = *Layer::descriptor();
  for (int i = 0; i < layer.field_count(); ++i) {
    for (const std::string& setting : SettableFields(*layer.field(i)->message_type())) {
      const std::string path = "model.layers." + layer.field(i)->name() + "." + setting;
      EXPECT_NE(FindManifestField(path), nullptr) << path << " has no row in manifest_fields.cc";
    }
  }
}

// Whether there is such a field, also within the items of a list.
bool IsInSchema(const std::string& path) {
  const google::protobuf::Descriptor* type = JobManifest::descriptor();
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    const auto* field = type == nullptr ? nullptr : type->FindFieldByName(std::string(name));
    if (field == nullptr) return false;
    type = field->message_type();
  }
  return true;
}

TEST(ManifestFieldsTest, HasNoRowTwiceOrForNothing) {
  std::set<std::string> seen;
  for (const ManifestField& row : ManifestFields()) {
    const std::string path = row.path;
    EXPECT_TRUE(seen.insert(path).second) << path;
    if (path.rfind("model.layers.", 0) == 0) continue;
    EXPECT_TRUE(IsInSchema(path)) << path;
  }
}

TEST(ManifestFieldsTest, DefaultsFitTheirFields) {
  JobManifest job;
  for (const ManifestField& row : ManifestFields()) {
    if (row.default_text == nullptr) continue;
    const FoundField found = FindField(row.path, &job);
    SYNCLINE_EXPECT_OK(SetScalar(*found.field, row.default_text, false, found.parent)) << row.path;
  }
}

TEST(ManifestFieldsTest, HelpIsSentences) {
  for (const ManifestField& row : ManifestFields()) {
    const std::string help = row.help;
    EXPECT_EQ(help.back(), '.') << row.path;
  }
}

TEST(NumberRangeTest, KnowsItsEnds) {
  const NumberRange half_open{0, 1, false, true};
  EXPECT_TRUE(half_open.Contains(0));
  EXPECT_FALSE(half_open.Contains(1));
  EXPECT_FALSE(half_open.Contains(-0.1));
  EXPECT_EQ(half_open.ToString(), "in [0, 1)");
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ((NumberRange{0, infinity, true, true}.ToString()), "above 0");
  EXPECT_EQ((NumberRange{1, infinity, false, true}.ToString()), "at least 1");
  EXPECT_EQ((NumberRange{-infinity, 0, true, false}.ToString()), "at most 0");
  EXPECT_EQ((NumberRange{4096, 1 << 26, false, false}.ToString()), "in [4096, 67108864]");
}

}  // namespace
}  // namespace syncline
