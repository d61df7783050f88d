#include "common/config/scalar_field.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/config/spelling.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// A text as an error shows it: control characters escaped, never longer than a line.
std::string Shown(absl::string_view text, bool quoted) {
  constexpr size_t kMax = 60;
  std::string shown = absl::CHexEscape(text.substr(0, kMax));
  if (text.size() > kMax) shown += "...";
  if (quoted || text.empty()) shown = absl::StrCat("\"", shown, "\"");
  return shown;
}

absl::Status IsNot(absl::string_view text, bool quoted, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(Shown(text, quoted), " is not ", what));
}

bool IsDigits(absl::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return true;
}

// Whole numbers are digits and perhaps a minus: what other readers of YAML take for octal, hex or
// base 60 is refused rather than guessed.
template <typename T>
absl::StatusOr<T> ParseWhole(absl::string_view text, bool quoted) {
  absl::string_view digits = text;
  absl::ConsumePrefix(&digits, "-");
  if (quoted || !IsDigits(digits)) return IsNot(text, quoted, "a whole number");
  if (digits.size() > 1 && digits[0] == '0') {
    return IsNot(text, quoted, "a whole number: it starts with 0");
  }
  T value;
  if (!absl::SimpleAtoi(text, &value)) {
    return IsNot(text, quoted,
                 absl::StrCat("in [", std::numeric_limits<T>::min(), ", ",
                              std::numeric_limits<T>::max(), "]"));
  }
  return value;
}

absl::StatusOr<double> ParseDouble(absl::string_view text, bool quoted) {
  double value;
  const bool hex = absl::StrContains(text, "x") || absl::StrContains(text, "X");
  if (quoted || hex || text != absl::StripAsciiWhitespace(text) ||
      !absl::SimpleAtod(text, &value)) {
    return IsNot(text, quoted, "a number");
  }
  if (!std::isfinite(value)) return IsNot(text, quoted, "a finite number");
  return value;
}

absl::StatusOr<bool> ParseBool(absl::string_view text, bool quoted) {
  if (!quoted && text == "true") return true;
  if (!quoted && text == "false") return false;
  return IsNot(text, quoted, "true or false");
}

absl::StatusOr<const EnumValueDescriptor*> ParseEnum(const EnumDescriptor& type,
                                                     absl::string_view text, bool quoted) {
  for (int i = 0; i < type.value_count(); ++i) {
    const EnumValueDescriptor* value = type.value(i);
    if (value->number() != 0 && EnumValueText(*value) == text) return value;
  }
  const std::vector<std::string> known = EnumValueTexts(type);
  std::string accepted = absl::StrCat("one of ", absl::StrJoin(known, ", "));
  const std::string nearest = NearestName(text, known);
  if (!nearest.empty()) absl::StrAppend(&accepted, "; did you mean ", nearest, "?");
  return IsNot(text, quoted, accepted);
}

// Protocol buffers refuse to parse strings that are not UTF-8, so they must not get in.
bool IsValidUtf8(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  size_t i = 0;
  while (i < text.size()) {
    const unsigned char lead = byte(i);
    const size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (size == 0 || lead > 0xf4 || text.size() - i < size) return false;
    for (size_t k = 1; k < size; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    // Overlong forms, surrogates and what is beyond U+10FFFF.
    if (lead == 0xe0 && byte(i + 1) < 0xa0) return false;
    if (lead == 0xed && byte(i + 1) > 0x9f) return false;
    if (lead == 0xf0 && byte(i + 1) < 0x90) return false;
    if (lead == 0xf4 && byte(i + 1) > 0x8f) return false;
    i += size;
  }
  return true;
}

// The shortest text that reads back as the same number.
std::string DoubleText(double value) {
  for (int digits = 6; digits < 17; ++digits) {
    std::string text = absl::StrFormat("%.*g", digits, value);
    double back;
    if (absl::SimpleAtod(text, &back) && back == value) return text;
  }
  return absl::StrFormat("%.17g", value);
}

}  // namespace

std::string EnumValueText(const EnumValueDescriptor& value) {
  absl::string_view prefix = value.type()->FindValueByNumber(0)->name();
  absl::ConsumeSuffix(&prefix, "UNSPECIFIED");
  absl::string_view name = value.name();
  absl::ConsumePrefix(&name, prefix);
  return absl::AsciiStrToLower(name);
}

std::vector<std::string> EnumValueTexts(const EnumDescriptor& type) {
  std::vector<std::string> texts;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) texts.push_back(EnumValueText(*type.value(i)));
  }
  return texts;
}

absl::Status SetScalar(const FieldDescriptor& field, absl::string_view text, bool quoted,
                       Message* message) {
  const Reflection& reflection = *message->GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      SYNCLINE_ASSIGN_OR_RETURN(const int32_t value, ParseWhole<int32_t>(text, quoted));
      reflection.SetInt32(message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      SYNCLINE_ASSIGN_OR_RETURN(const uint32_t value, ParseWhole<uint32_t>(text, quoted));
      reflection.SetUInt32(message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      SYNCLINE_ASSIGN_OR_RETURN(const uint64_t value, ParseWhole<uint64_t>(text, quoted));
      reflection.SetUInt64(message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      SYNCLINE_ASSIGN_OR_RETURN(const double value, ParseDouble(text, quoted));
      reflection.SetDouble(message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      SYNCLINE_ASSIGN_OR_RETURN(const bool value, ParseBool(text, quoted));
      reflection.SetBool(message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      SYNCLINE_ASSIGN_OR_RETURN(const auto* value, ParseEnum(*field.enum_type(), text, quoted));
      reflection.SetEnum(message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_STRING:
      if (!IsValidUtf8(text)) return IsNot(text, quoted, "UTF-8");
      reflection.SetString(message, &field, std::string(text));
      return absl::OkStatus();
    default:
      return absl::UnimplementedError(absl::StrCat("fields of type ", field.cpp_type_name()));
  }
}

std::string ScalarText(const FieldDescriptor& field, const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return DoubleText(reflection.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumValueText(*reflection.GetEnum(message, &field));
    default:
      return reflection.GetString(message, &field);
  }
}

}  // namespace syncline
