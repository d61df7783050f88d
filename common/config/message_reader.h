#ifndef SYNCLINE_COMMON_CONFIG_MESSAGE_READER_H_
#define SYNCLINE_COMMON_CONFIG_MESSAGE_READER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "common/config/field_log.h"
#include "common/config/yaml_tree.h"
#include "google/protobuf/message.h"

namespace syncline {

// Reads YAML into protobuf messages by their descriptors, so a new field of the schema needs no
// code here. Keys are field names; enums are named as in EnumValueText(). A message whose fields
// are one oneof (a layer) is written as the name of its choice or a map of that one name:
//
//   - relu
//   - linear: {units: 512}
//
// Lists are lists of messages. Everything wrong goes into the log, and reading goes on.
class MessageReader {
 public:
  // `file` names the text in errors. `log` must outlive the reader.
  MessageReader(std::string file, FieldLog* log);

  // Fills `message` from a map. `path` is the message's own place, empty for the whole manifest.
  void ReadMessage(const YamlNode& node, const std::string& path,
                   google::protobuf::Message* message);

  // Fills one field; `node` is its value.
  void ReadField(const YamlNode& node, const std::string& path,
                 const google::protobuf::FieldDescriptor& field,
                 google::protobuf::Message* message);

 private:
  void ReadList(const YamlNode& node, const std::string& path,
                const google::protobuf::FieldDescriptor& field, google::protobuf::Message* message);
  void ReadChoice(const YamlNode& node, const std::string& path,
                  google::protobuf::Message* message);
  void ReadScalar(const YamlNode& node, const std::string& path,
                  const google::protobuf::FieldDescriptor& field,
                  google::protobuf::Message* message);
  void AddUnknownKey(const YamlNode& node, const std::string& path,
                     const google::protobuf::Descriptor& type);

  std::string At(TextPosition position) const;

  const std::string file_;
  FieldLog* const log_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_MESSAGE_READER_H_
