#include "deploy/cli/pulled_text.h"

#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/hash/feature_key.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

absl::StatusOr<NamedKey> ParseKey(absl::string_view text) {
  NamedKey key{0, std::string(text)};
  const size_t equals = text.find('=');
  if (equals != absl::string_view::npos && equals > 0) {
    key.key = FeatureKey(text.substr(0, equals), text.substr(equals + 1));
    return key;
  }
  if (absl::SimpleAtoi(text, &key.key)) return key;
  return absl::InvalidArgumentError(
      absl::StrCat("--keys: \"", text, "\" is no key: a whole number below 2^64, or FIELD=VALUE"));
}

// Nine digits tell any two floats apart.
std::string Numbers(absl::Span<const float> values, absl::string_view between) {
  return absl::StrJoin(values, between,
                       [](std::string* to, float value) { absl::StrAppendFormat(to, "%.9g", value); });
}

// JSON has no NaN and no infinity.
std::string JsonNumbers(absl::Span<const float> values) {
  return absl::StrJoin(values, ", ", [](std::string* to, float value) {
    absl::StrAppend(to, std::isfinite(value) ? absl::StrFormat("%.9g", value) : "null");
  });
}

std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&quoted, "\\u%04x", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace

absl::StatusOr<std::vector<NamedKey>> ParseKeys(absl::string_view text) {
  std::vector<NamedKey> keys;
  std::set<uint64_t> seen;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    SYNCLINE_ASSIGN_OR_RETURN(NamedKey key, ParseKey(part));
    if (!seen.insert(key.key).second) {
      return absl::InvalidArgumentError(absl::StrCat("--keys: ", key.name, " comes twice; name each key once"));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

std::string RowsText(absl::Span<const NamedKey> keys, absl::Span<const float> rows) {
  std::string text;
  const size_t dim = keys.empty() ? 0 : rows.size() / keys.size();
  for (size_t i = 0; i < keys.size(); ++i) {
    absl::StrAppend(&text, keys[i].name, " ", Numbers(rows.subspan(i * dim, dim), " "), "\n");
  }
  return text;
}

std::string RowsJson(const std::string& table, uint64_t step, absl::Span<const NamedKey> keys,
                     absl::Span<const float> rows) {
  std::string text = absl::StrCat("{\"table\": ", Quoted(table), ", \"step\": ", step, ", \"rows\": [");
  const size_t dim = keys.empty() ? 0 : rows.size() / keys.size();
  for (size_t i = 0; i < keys.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "\n" : ",\n", "  {\"key\": ", Quoted(keys[i].name), ", \"row\": [",
                    JsonNumbers(rows.subspan(i * dim, dim)), "]}");
  }
  return text + "]}\n";
}

std::string TensorText(absl::Span<const uint64_t> shape, absl::Span<const float> values) {
  std::string text;
  const size_t width = shape.empty() ? 1 : static_cast<size_t>(shape.back());
  for (size_t at = 0; at < values.size(); at += width) {
    absl::StrAppend(&text, Numbers(values.subspan(at, width), " "), "\n");
  }
  return text;
}

std::string TensorJson(const std::string& name, uint64_t step, absl::Span<const uint64_t> shape,
                       absl::Span<const float> values) {
  return absl::StrCat("{\"tensor\": ", Quoted(name), ", \"step\": ", step, ", \"shape\": [", absl::StrJoin(shape, ", "),
                      "], \"values\": [", JsonNumbers(values), "]}\n");
}

}  // namespace syncline
