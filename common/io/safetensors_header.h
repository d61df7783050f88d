#ifndef SYNCLINE_COMMON_IO_SAFETENSORS_HEADER_H_
#define SYNCLINE_COMMON_IO_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/io/safetensors.h"

namespace syncline {

// Bytes of one element; 0 for an unknown type.
uint64_t SafetensorsElementBytes(absl::string_view dtype);

// Orders the tensors and gives them their places; returns the bytes of the data.
absl::StatusOr<uint64_t> PlaceTensors(std::vector<SafetensorsTensor>* tensors);

// The JSON, padded to a multiple of 8 bytes.
std::string SafetensorsHeader(const std::vector<SafetensorsTensor>& tensors,
                              const SafetensorsMetadata& metadata);

// Reads the JSON and checks types, shapes and places against `data_bytes`. Errors don't name the
// file.
absl::Status ParseSafetensorsHeader(absl::string_view json, uint64_t data_bytes,
                                    std::vector<SafetensorsTensor>* tensors,
                                    SafetensorsMetadata* metadata);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_IO_SAFETENSORS_HEADER_H_
