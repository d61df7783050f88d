#ifndef SYNCLINE_COMMON_CONFIG_YAML_TREE_H_
#define SYNCLINE_COMMON_CONFIG_YAML_TREE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace syncline {

// A place in a text. Lines and columns count from 1, columns in bytes.
struct TextPosition {
  int line = 1;
  int column = 1;
};

// "FILE:LINE:COLUMN".
std::string FormatPosition(absl::string_view file, TextPosition position);

// One node of a YAML document, which remembers where it was written. A value type.
struct YamlNode {
  enum class Kind { kScalar, kNull, kList, kMap };

  Kind kind = Kind::kNull;
  TextPosition position;
  // kScalar: the text, and whether it stood in quotes (then it is no number).
  std::string text;
  bool quoted = false;
  // kList, kMap: the children, in the order of the file.
  std::vector<YamlNode> children;
  // Children of a map: the key they are filed under.
  std::string key;
  TextPosition key_position;
};

// Reads one YAML document. `file` names it in errors, which read "FILE:LINE:COLUMN: what is wrong".
//
// Stricter than YAML, because a manifest is written and read by people: a key may come once, keys
// are text, there is one document, anchors and aliases are refused (a few lines of them can unfold
// to gigabytes), and so are texts over 256 KiB, nesting over 32 levels and NUL bytes.
absl::StatusOr<YamlNode> ParseYaml(absl::string_view text, absl::string_view file);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_YAML_TREE_H_
