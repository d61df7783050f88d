#include "common/config/manifest_writer.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/config/scalar_field.h"

namespace syncline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&quoted, "\\", std::string(1, c));
    } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      absl::StrAppendFormat(&quoted, "\\x%02x", c);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string Scalar(const FieldDescriptor& field, const Message& message) {
  const std::string text = ScalarText(field, message);
  return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING ? Quoted(text) : text;
}

std::vector<const FieldDescriptor*> SetFields(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

std::string Flow(const Message& message);

std::string FlowValue(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return Scalar(field, message);
  if (!field.is_repeated()) return Flow(reflection.GetMessage(message, &field));
  std::vector<std::string> items;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    items.push_back(Flow(reflection.GetRepeatedMessage(message, &field, i)));
  }
  return absl::StrCat("[", absl::StrJoin(items, ", "), "]");
}

// {linear: {units: 512, bias: true}}, on one line.
std::string Flow(const Message& message) {
  std::vector<std::string> entries;
  for (const FieldDescriptor* field : SetFields(message)) {
    entries.push_back(absl::StrCat(field->name(), ": ", FlowValue(message, *field)));
  }
  return absl::StrCat("{", absl::StrJoin(entries, ", "), "}");
}

void WriteFields(const Message& message, const std::string& indent, std::string* yaml) {
  const Reflection& reflection = *message.GetReflection();
  for (const FieldDescriptor* field : SetFields(message)) {
    absl::StrAppend(yaml, indent, field->name(), ":");
    if (field->is_repeated()) {
      *yaml += "\n";
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        const Message& item = reflection.GetRepeatedMessage(message, field, i);
        absl::StrAppend(yaml, indent, "  - ", Flow(item), "\n");
      }
    } else if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      absl::StrAppend(yaml, " ", Scalar(*field, message), "\n");
    } else if (SetFields(reflection.GetMessage(message, field)).empty()) {
      *yaml += " {}\n";
    } else {
      *yaml += "\n";
      WriteFields(reflection.GetMessage(message, field), indent + "  ", yaml);
    }
  }
}

}  // namespace

std::string SerializeManifest(const JobManifest& job) {
  std::string yaml;
  WriteFields(job, "", &yaml);
  return yaml;
}

}  // namespace syncline
