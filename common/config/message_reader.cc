#include "common/config/message_reader.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/field_paths.h"
#include "common/config/scalar_field.h"
#include "common/config/spelling.h"

namespace syncline {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A message that is nothing but one of several kinds.
bool IsChoice(const Descriptor& type) {
  return type.real_oneof_decl_count() == 1 &&
         type.oneof_decl(0)->field_count() == type.field_count();
}

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return names;
}

// What a value that should be something else is.
std::string KindText(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "has no value";
    case YamlNode::Kind::kList:
      return "is a list";
    case YamlNode::Kind::kMap:
      return "is a map";
    case YamlNode::Kind::kScalar:
      break;
  }
  return "is a single value";
}

std::string ExpectedText(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return "a text";
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ", absl::StrJoin(EnumValueTexts(*field.enum_type()), ", "));
    default:
      return "a whole number";
  }
}

// A field of this name in another part of the manifest: `learning_rate` belongs in `optimizer`.
std::string FindElsewhere(const Descriptor& root, const std::string& name) {
  for (const std::string& path : SettableFields(root)) {
    if (absl::EndsWith(path, "." + name)) return path;
  }
  return "";
}

}  // namespace

MessageReader::MessageReader(std::string file, FieldLog* log) : file_(std::move(file)), log_(log) {}

std::string MessageReader::At(TextPosition position) const {
  return FormatPosition(file_, position);
}

void MessageReader::ReadMessage(const YamlNode& node, const std::string& path, Message* message) {
  const Descriptor& type = *message->GetDescriptor();
  if (IsChoice(type)) return ReadChoice(node, path, message);
  if (node.kind != YamlNode::Kind::kMap) {
    log_->AddProblemAt(At(node.position), path,
                       absl::StrCat(KindText(node), " where fields are expected: ",
                                    absl::StrJoin(FieldNames(type), ", ")));
    return;
  }
  for (const YamlNode& child : node.children) {
    const FieldDescriptor* field = type.FindFieldByName(child.key);
    if (field == nullptr) {
      AddUnknownKey(child, path, type);
    } else {
      ReadField(child, JoinFieldPath(path, child.key), *field, message);
    }
  }
}

void MessageReader::ReadField(const YamlNode& node, const std::string& path,
                              const FieldDescriptor& field, Message* message) {
  if (field.is_repeated()) {
    log_->SetOrigin(path, At(node.key_position));
    ReadList(node, path, field, message);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    log_->SetOrigin(path, At(node.key_position));
    ReadMessage(node, path, message->GetReflection()->MutableMessage(message, &field));
  } else {
    log_->SetOrigin(path, At(node.position));
    ReadScalar(node, path, field, message);
  }
}

void MessageReader::ReadList(const YamlNode& node, const std::string& path,
                             const FieldDescriptor& field, Message* message) {
  if (node.kind != YamlNode::Kind::kList) {
    log_->AddProblemAt(At(node.position), path, absl::StrCat(KindText(node), ", not a list"));
    return;
  }
  for (size_t i = 0; i < node.children.size(); ++i) {
    const std::string item_path = absl::StrCat(path, "[", i, "]");
    log_->SetOrigin(item_path, At(node.children[i].position));
    ReadMessage(node.children[i], item_path, message->GetReflection()->AddMessage(message, &field));
  }
}

void MessageReader::ReadChoice(const YamlNode& node, const std::string& path, Message* message) {
  const Descriptor& type = *message->GetDescriptor();
  const bool is_name = node.kind == YamlNode::Kind::kScalar;
  const bool is_map = node.kind == YamlNode::Kind::kMap && node.children.size() == 1;
  const std::string known = absl::StrJoin(FieldNames(type), ", ");
  if (!is_name && !is_map) {
    log_->AddProblemAt(At(node.position), path,
                       absl::StrCat("expects one name, or one name and its settings as in `",
                                    type.field(0)->name(), ": {...}`; names are ", known));
    return;
  }
  const std::string& name = is_name ? node.text : node.children[0].key;
  const FieldDescriptor* field = type.FindFieldByName(name);
  if (field == nullptr) {
    const std::string nearest = NearestName(name, FieldNames(type));
    log_->AddProblemAt(
        At(node.position), path,
        absl::StrCat(name, " is not one of ", known,
                     nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?")));
    return;
  }
  Message* choice = message->GetReflection()->MutableMessage(message, field);
  if (is_name || node.children[0].kind == YamlNode::Kind::kNull) return;
  ReadMessage(node.children[0], JoinFieldPath(path, name), choice);
}

void MessageReader::ReadScalar(const YamlNode& node, const std::string& path,
                               const FieldDescriptor& field, Message* message) {
  if (node.kind != YamlNode::Kind::kScalar) {
    const TextPosition at = node.kind == YamlNode::Kind::kNull ? node.key_position : node.position;
    log_->AddProblemAt(At(at), path, absl::StrCat(KindText(node), ", not ", ExpectedText(field)));
    return;
  }
  const absl::Status status = SetScalar(field, node.text, node.quoted, message);
  if (!status.ok()) {
    log_->AddProblem(path, status.message());
  }
}

void MessageReader::AddUnknownKey(const YamlNode& node, const std::string& path,
                                  const Descriptor& type) {
  std::string hint;
  if (path.empty()) hint = FindElsewhere(type, node.key);
  if (hint.empty()) hint = NearestName(node.key, FieldNames(type));
  hint = hint.empty() ? absl::StrCat("known here are ", absl::StrJoin(FieldNames(type), ", "))
                      : absl::StrCat("did you mean ", hint, "?");
  log_->AddProblemAt(At(node.key_position), JoinFieldPath(path, node.key),
                     absl::StrCat("unknown field; ", hint));
}

}  // namespace syncline
