#ifndef SYNCLINE_COMMON_CONFIG_SCALAR_FIELD_H_
#define SYNCLINE_COMMON_CONFIG_SCALAR_FIELD_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace syncline {

// The single values of a protobuf message as people write them.

// The name of an enum value in a manifest: lower case and without the prefix that keeps C++ names
// apart, so NONFINITE_REJECT is "reject". The prefix is what stands before UNSPECIFIED in the name
// of value 0.
std::string EnumValueText(const google::protobuf::EnumValueDescriptor& value);

// All names of an enum but the unspecified one.
std::vector<std::string> EnumValueTexts(const google::protobuf::EnumDescriptor& type);

// Sets a single (not repeated, not message) field from a text. The error says what is wrong and
// what is accepted, without naming the field: "1.5 is not a whole number". `quoted` texts are only
// for strings. NaN, infinity, what the type can't hold and UTF-8 errors are refused.
absl::Status SetScalar(const google::protobuf::FieldDescriptor& field, absl::string_view text,
                       bool quoted, google::protobuf::Message* message);

// The field's value as SetScalar reads it. Numbers keep every bit.
std::string ScalarText(const google::protobuf::FieldDescriptor& field,
                       const google::protobuf::Message& message);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_SCALAR_FIELD_H_
