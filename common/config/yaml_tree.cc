#include "common/config/yaml_tree.h"

#include <exception>
#include <set>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/exceptions.h"
#include "yaml-cpp/parser.h"

namespace syncline {
namespace {

constexpr size_t kMaxBytes = 256 * 1024;
constexpr size_t kMaxDepth = 32;

TextPosition PositionOf(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

// Builds the tree from the parser's events. Says what it refuses by yaml-cpp's own exception, the
// only way out of its parser.
class TreeBuilder : public YAML::EventHandler {
 public:
  YamlNode TakeRoot() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(mark, anchor, YamlNode::Kind::kNull);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, "aliases (*name) are not supported; write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (!open_.empty() && IsMap() && !open_.back().has_key) return StartEntry(mark, value);
    YamlNode* node = Add(mark, anchor, YamlNode::Kind::kScalar);
    node->text = value;
    node->quoted = tag == "!";
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { open_.pop_back(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  // A list or map whose end has not come yet. Its node stays where it is: only the innermost open
  // node grows.
  struct OpenNode {
    YamlNode* node;
    bool has_key = false;
    std::string key = {};
    TextPosition key_position = {};
    std::set<std::string> keys = {};
  };

  bool IsMap() const { return open_.back().node->kind == YamlNode::Kind::kMap; }

  void StartEntry(const YAML::Mark& mark, const std::string& key) {
    OpenNode& map = open_.back();
    if (!map.keys.insert(key).second) {
      throw YAML::ParserException(mark, absl::StrCat("the key ", key, " is there twice"));
    }
    map.has_key = true;
    map.key = key;
    map.key_position = PositionOf(mark);
  }

  YamlNode* Add(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
    if (anchor != YAML::NullAnchor) {
      throw YAML::ParserException(mark, "anchors (&name) are not supported; write the value out");
    }
    YamlNode* node = &root_;
    if (!open_.empty()) {
      OpenNode& parent = open_.back();
      if (IsMap() && !parent.has_key) {
        throw YAML::ParserException(
            mark,
            "a list, a map or nothing stands where a key is expected; is a bracket left open?");
      }
      node = &parent.node->children.emplace_back();
      node->key = std::move(parent.key);
      node->key_position = parent.key_position;
      parent.has_key = false;
    }
    node->kind = kind;
    node->position = PositionOf(mark);
    return node;
  }

  void Open(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
    if (open_.size() == kMaxDepth) {
      throw YAML::ParserException(mark, absl::StrCat("nested over ", kMaxDepth, " levels deep"));
    }
    open_.push_back({Add(mark, anchor, kind)});
  }

  YamlNode root_;
  std::vector<OpenNode> open_;
};

absl::Status SyntaxError(absl::string_view file, TextPosition position, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(FormatPosition(file, position), ": not a valid manifest: ", what));
}

// yaml-cpp takes some tabs for spaces and gives unclear errors for others.
absl::Status CheckIndentation(absl::string_view text, absl::string_view file) {
  TextPosition here;
  bool indenting = true;
  for (const char c : text) {
    if (c == '\t' && indenting) {
      return SyntaxError(file, here, "a tab indents this line; indent with spaces");
    }
    if (c == '\n') {
      here = {here.line + 1, 1};
      indenting = true;
    } else {
      ++here.column;
      if (c != ' ') indenting = false;
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string FormatPosition(absl::string_view file, TextPosition position) {
  return absl::StrCat(file, ":", position.line, ":", position.column);
}

absl::StatusOr<YamlNode> ParseYaml(absl::string_view text, absl::string_view file) {
  if (text.size() > kMaxBytes) {
    return SyntaxError(file, {}, absl::StrCat("it has ", text.size(), " bytes, over ", kMaxBytes));
  }
  if (text.find('\0') != absl::string_view::npos) {
    return SyntaxError(file, {}, "it holds a NUL byte; is it a text file?");
  }
  SYNCLINE_RETURN_IF_ERROR(CheckIndentation(text, file));
  std::istringstream input{std::string(text)};
  try {
    YAML::Parser parser(input);
    TreeBuilder builder;
    if (!parser.HandleNextDocument(builder)) return SyntaxError(file, {}, "it is empty");
    TreeBuilder rest;
    if (parser.HandleNextDocument(rest)) {
      return SyntaxError(file, rest.TakeRoot().position, "a second document starts here");
    }
    return builder.TakeRoot();
  } catch (const YAML::Exception& error) {
    return SyntaxError(file, PositionOf(error.mark), error.msg);
  } catch (const std::exception& error) {
    return SyntaxError(file, {}, error.what());
  }
}

}  // namespace syncline
