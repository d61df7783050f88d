#include "common/config/yaml_tree.h"

#include "common/status/status_matchers.h"

namespace syncline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

auto Refused(const std::string& start, const std::string& what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, AllOf(StartsWith(start), HasSubstr(what)));
}

TEST(YamlTreeTest, KeepsTextQuotesAndPlaces) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const YamlNode root,
                                ParseYaml("a: 1\nlist:\n  - x\n  - {k: \"2\"}\nz:\n", "f"));
  ASSERT_EQ(root.kind, YamlNode::Kind::kMap);
  ASSERT_EQ(root.children.size(), 3u);
  EXPECT_EQ(root.children[0].key, "a");
  EXPECT_EQ(root.children[0].text, "1");
  EXPECT_FALSE(root.children[0].quoted);

  const YamlNode& list = root.children[1];
  ASSERT_EQ(list.kind, YamlNode::Kind::kList);
  EXPECT_EQ(list.key_position.line, 2);
  EXPECT_EQ(list.key_position.column, 1);
  ASSERT_EQ(list.children.size(), 2u);
  EXPECT_EQ(list.children[0].position.line, 3);
  EXPECT_EQ(list.children[0].position.column, 5);
  EXPECT_EQ(list.children[1].children[0].text, "2");
  EXPECT_TRUE(list.children[1].children[0].quoted);

  EXPECT_EQ(root.children[2].kind, YamlNode::Kind::kNull);
}

TEST(YamlTreeTest, TakesBareScalars) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const YamlNode root, ParseYaml("17", "f"));
  EXPECT_EQ(root.kind, YamlNode::Kind::kScalar);
  EXPECT_EQ(root.text, "17");
}

TEST(YamlTreeTest, RefusesEmptyTexts) {
  EXPECT_THAT(ParseYaml("", "f.yaml"), Refused("f.yaml:1:1:", "empty"));
  EXPECT_THAT(ParseYaml("# only a comment\n", "f.yaml"), Refused("f.yaml:", "empty"));
}

TEST(YamlTreeTest, RefusesSyntaxErrorsWithTheirPlace) {
  EXPECT_THAT(ParseYaml("a: 1\nb: [1, 2\n", "f"), Refused("f:3:1:", "end of sequence"));
  EXPECT_THAT(ParseYaml("a:\n \tb: 1\n", "f"), Refused("f:2:2:", "a tab"));
}

TEST(YamlTreeTest, RefusesDuplicateKeys) {
  EXPECT_THAT(ParseYaml("a: 1\nb: 2\na: 3\n", "f"), Refused("f:3:1:", "a is there twice"));
}

TEST(YamlTreeTest, RefusesKeysThatAreNoText) {
  EXPECT_THAT(ParseYaml("[1, 2]: 3\n", "f"), Refused("f:1:1:", "where a key is expected"));
  EXPECT_THAT(ParseYaml("? {a: b}\n: 3\n", "f"), Refused("f:1:3:", "where a key is expected"));
}

TEST(YamlTreeTest, RefusesAnchorsAndAliases) {
  EXPECT_THAT(ParseYaml("a: &x 1\n", "f"), Refused("f:1:", "anchors"));
  EXPECT_THAT(ParseYaml("a: *x\n", "f"), Refused("f:1:4:", "anchor"));
}

TEST(YamlTreeTest, RefusesDeepNestingAndLongTexts) {
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  EXPECT_THAT(ParseYaml(deep, "f"), Refused("f:1:33:", "32 levels"));
  EXPECT_THAT(ParseYaml(std::string(100000, '['), "f"), Refused("f:", ""));
  EXPECT_THAT(ParseYaml(std::string(300 * 1024, ' '), "f"), Refused("f:1:1:", "bytes"));
}

TEST(YamlTreeTest, RefusesBinaryTexts) {
  EXPECT_THAT(ParseYaml(absl::string_view("a\0b", 3), "f"), Refused("f:1:1:", "NUL"));
}

TEST(YamlTreeTest, RefusesSecondDocuments) {
  EXPECT_THAT(ParseYaml("a: 1\n---\nb: 2\n", "f"), Refused("f:3:1:", "second document"));
}

}  // namespace
}  // namespace syncline
