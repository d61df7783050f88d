#include "worker/data/table_text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/charconv.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace syncline {

bool LineReader::Next() {
  while (!rest_.empty()) {
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    absl::ConsumeSuffix(&line_, "\r");
    ++number_;
    if (!absl::StripAsciiWhitespace(line_).empty()) return true;
  }
  return false;
}

bool ParseFloat(absl::string_view text, float* value) {
  text = absl::StripAsciiWhitespace(text);
  // absl::from_chars takes no plus.
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const absl::from_chars_result result = absl::from_chars(text.data(), end, *value);
  return result.ec == std::errc() && result.ptr == end && std::isfinite(*value);
}

absl::Status TextError(const std::string& file, const LineReader& at, absl::string_view place,
                       absl::string_view what) {
  const size_t column = static_cast<size_t>(place.data() - at.line().data()) + 1;
  return absl::InvalidArgumentError(absl::StrCat(file, ":", at.number(), ":", column, ": ", what));
}

std::string ShownText(absl::string_view text) {
  constexpr size_t kMax = 40;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kMax)),
                      text.size() > kMax ? "...\"" : "\"");
}

}  // namespace syncline
