#include "common/io/safetensors_header.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace syncline {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;

constexpr char kMetadata[] = "__metadata__";

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("not a good safetensors header: ", what));
}

absl::Status BadTensor(absl::string_view name, absl::string_view what) {
  return Bad(absl::StrCat("tensor \"", name, "\" ", what));
}

std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < ' ') {
      absl::StrAppendFormat(&quoted, "\\u%04x", c);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

// Bytes that a tensor of this type and shape has.
absl::StatusOr<uint64_t> BytesOf(const SafetensorsTensor& tensor) {
  uint64_t bytes = SafetensorsElementBytes(tensor.dtype);
  if (bytes == 0) return BadTensor(tensor.name, absl::StrCat("has the type ", tensor.dtype));
  for (const uint64_t size : tensor.shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) {
      return BadTensor(tensor.name, "is too large");
    }
  }
  return bytes;
}

absl::StatusOr<std::vector<uint64_t>> Numbers(const Struct& fields, const char* key) {
  const auto found = fields.fields().find(key);
  if (found == fields.fields().end() || !found->second.has_list_value()) {
    return Bad(absl::StrCat(key, " is not a list"));
  }
  std::vector<uint64_t> numbers;
  for (const Value& value : found->second.list_value().values()) {
    const double number = value.number_value();
    // Up to 2^53, where a JSON number is exact.
    if (!value.has_number_value() || !(number >= 0 && number <= 0x1p53) ||
        number != std::floor(number)) {
      return Bad(absl::StrCat(key, " holds what is no whole number"));
    }
    numbers.push_back(static_cast<uint64_t>(number));
  }
  return numbers;
}

absl::StatusOr<SafetensorsTensor> ParseTensor(const std::string& name, const Struct& fields) {
  SafetensorsTensor tensor;
  tensor.name = name;
  const auto dtype = fields.fields().find("dtype");
  if (dtype != fields.fields().end()) tensor.dtype = dtype->second.string_value();
  SYNCLINE_ASSIGN_OR_RETURN(tensor.shape, Numbers(fields, "shape"));
  SYNCLINE_ASSIGN_OR_RETURN(const auto offsets, Numbers(fields, "data_offsets"));
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    return BadTensor(name, "has data_offsets that are not a begin and an end");
  }
  tensor.begin = offsets[0];
  tensor.end = offsets[1];
  SYNCLINE_ASSIGN_OR_RETURN(const uint64_t bytes, BytesOf(tensor));
  if (bytes != tensor.bytes()) {
    return BadTensor(name, absl::StrCat("has ", tensor.bytes(), " bytes, and its shape ", bytes));
  }
  return tensor;
}

absl::Status ParseMetadata(const Struct& fields, SafetensorsMetadata* metadata) {
  for (const auto& [key, value] : fields.fields()) {
    if (!value.has_string_value()) return Bad("__metadata__ holds what is no text");
    (*metadata)[key] = value.string_value();
  }
  return absl::OkStatus();
}

absl::Status CheckCover(const std::vector<SafetensorsTensor>& tensors, uint64_t data_bytes) {
  uint64_t end = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    if (tensor.begin != end) return BadTensor(tensor.name, "leaves a gap or overlaps");
    end = tensor.end;
  }
  if (end == data_bytes) return absl::OkStatus();
  return Bad(absl::StrCat("its tensors have ", end, " bytes, and the file holds ", data_bytes));
}

}  // namespace

uint64_t SafetensorsElementBytes(absl::string_view dtype) {
  static constexpr std::pair<const char*, uint64_t> kTypes[] = {
      {"F64", 8},  {"I64", 8}, {"U64", 8}, {"F32", 4}, {"I32", 4}, {"U32", 4}, {"F16", 2},
      {"BF16", 2}, {"I16", 2}, {"U16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}};
  for (const auto& [name, bytes] : kTypes) {
    if (dtype == name) return bytes;
  }
  return 0;
}

absl::StatusOr<uint64_t> PlaceTensors(std::vector<SafetensorsTensor>* tensors) {
  std::sort(tensors->begin(), tensors->end(), [](const auto& a, const auto& b) {
    const uint64_t a_bytes = SafetensorsElementBytes(a.dtype);
    const uint64_t b_bytes = SafetensorsElementBytes(b.dtype);
    return std::tie(b_bytes, a.name) < std::tie(a_bytes, b.name);
  });
  std::vector<std::string> names = {kMetadata};
  uint64_t end = 0;
  for (SafetensorsTensor& tensor : *tensors) {
    SYNCLINE_ASSIGN_OR_RETURN(const uint64_t bytes, BytesOf(tensor));
    tensor.begin = end;
    if (__builtin_add_overflow(end, bytes, &end)) return BadTensor(tensor.name, "is too large");
    tensor.end = end;
    names.push_back(tensor.name);
  }
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) return BadTensor(*twice, "is there twice");
  return end;
}

std::string SafetensorsHeader(const std::vector<SafetensorsTensor>& tensors,
                              const SafetensorsMetadata& metadata) {
  std::vector<std::string> entries;
  if (!metadata.empty()) {
    const auto format = [](std::string* out, const auto& entry) {
      absl::StrAppend(out, Quoted(entry.first), ":", Quoted(entry.second));
    };
    entries.push_back(
        absl::StrCat("\"__metadata__\":{", absl::StrJoin(metadata, ",", format), "}"));
  }
  for (const SafetensorsTensor& t : tensors) {
    entries.push_back(absl::StrCat(Quoted(t.name), ":{\"dtype\":", Quoted(t.dtype), ",\"shape\":[",
                                   absl::StrJoin(t.shape, ","), "],\"data_offsets\":[", t.begin,
                                   ",", t.end, "]}"));
  }
  std::string header = absl::StrCat("{", absl::StrJoin(entries, ","), "}");
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

absl::Status ParseSafetensorsHeader(absl::string_view json, uint64_t data_bytes,
                                    std::vector<SafetensorsTensor>* tensors,
                                    SafetensorsMetadata* metadata) {
  Struct root;
  const auto status =
      google::protobuf::util::JsonStringToMessage({json.data(), json.size()}, &root);
  if (!status.ok()) return Bad("it is not JSON");
  for (const auto& [name, value] : root.fields()) {
    if (!value.has_struct_value()) return BadTensor(name, "is not an object");
    if (name == kMetadata) {
      SYNCLINE_RETURN_IF_ERROR(ParseMetadata(value.struct_value(), metadata));
    } else {
      SYNCLINE_ASSIGN_OR_RETURN(SafetensorsTensor tensor, ParseTensor(name, value.struct_value()));
      tensors->push_back(std::move(tensor));
    }
  }
  std::sort(tensors->begin(), tensors->end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  return CheckCover(*tensors, data_bytes);
}

}  // namespace syncline
