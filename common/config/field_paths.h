#ifndef SYNCLINE_COMMON_CONFIG_FIELD_PATHS_H_
#define SYNCLINE_COMMON_CONFIG_FIELD_PATHS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace syncline {

// Names of fields inside a message: "optimizer.learning_rate", "model.layers[2].linear.units".

// `parent` and `name` joined by a dot; `name` if there is no parent.
std::string JoinFieldPath(absl::string_view parent, absl::string_view name);

// The path without the positions in lists: "model.layers.linear.units".
std::string SchemaPath(absl::string_view path);

// The flag of a field: "optimizer.learning_rate" is set by --optimizer_learning_rate.
std::string FlagNameOfField(absl::string_view path);

// Paths of all fields that have a value of their own: single values, and lists as a whole (not
// what is in them). In the order of the schema.
std::vector<std::string> SettableFields(const google::protobuf::Descriptor& type);

// Where a path leads: the message that holds the field, and the field.
struct FoundField {
  google::protobuf::Message* parent = nullptr;
  const google::protobuf::FieldDescriptor* field = nullptr;  // null: there is no such field
};

// Follows one of SettableFields(), creating the messages on the way.
FoundField FindField(absl::string_view path, google::protobuf::Message* root);

// Calls `visit` for each single value that is set in `message` and in the messages within, lists
// included. `path` is where `message` itself lies.
using FieldVisitor = std::function<void(const std::string& path, const google::protobuf::Message&,
                                        const google::protobuf::FieldDescriptor&)>;
void VisitFields(const google::protobuf::Message& message, const std::string& path,
                 const FieldVisitor& visit);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_FIELD_PATHS_H_
