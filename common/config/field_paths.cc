#include "common/config/field_paths.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace syncline {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

void AddSettableFields(const Descriptor& type, const std::string& path,
                       std::vector<std::string>* fields) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string field_path = JoinFieldPath(path, field.name());
    if (IsMessage(field) && !field.is_repeated()) {
      AddSettableFields(*field.message_type(), field_path, fields);
    } else {
      fields->push_back(field_path);
    }
  }
}

}  // namespace

std::string JoinFieldPath(absl::string_view parent, absl::string_view name) {
  return parent.empty() ? std::string(name) : absl::StrCat(parent, ".", name);
}

std::string SchemaPath(absl::string_view path) {
  std::string schema_path;
  bool inside = false;
  for (const char c : path) {
    if (c == '[') inside = true;
    if (!inside) schema_path += c;
    if (c == ']') inside = false;
  }
  return schema_path;
}

std::string FlagNameOfField(absl::string_view path) {
  return absl::StrReplaceAll(path, {{".", "_"}});
}

std::vector<std::string> SettableFields(const Descriptor& type) {
  std::vector<std::string> fields;
  AddSettableFields(type, "", &fields);
  return fields;
}

FoundField FindField(absl::string_view path, Message* root) {
  FoundField found{root, nullptr};
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    if (found.field != nullptr) {
      if (!IsMessage(*found.field) || found.field->is_repeated()) return {};
      found.parent = found.parent->GetReflection()->MutableMessage(found.parent, found.field);
    }
    found.field = found.parent->GetDescriptor()->FindFieldByName(std::string(name));
    if (found.field == nullptr) return {};
  }
  return found;
}

void VisitFields(const Message& message, const std::string& path, const FieldVisitor& visit) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string field_path = JoinFieldPath(path, field->name());
    if (!IsMessage(*field)) {
      visit(field_path, message, *field);
    } else if (!field->is_repeated()) {
      VisitFields(reflection.GetMessage(message, field), field_path, visit);
    } else {
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        VisitFields(reflection.GetRepeatedMessage(message, field, i),
                    absl::StrCat(field_path, "[", i, "]"), visit);
      }
    }
  }
}

}  // namespace syncline
