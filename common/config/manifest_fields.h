#ifndef SYNCLINE_COMMON_CONFIG_MANIFEST_FIELDS_H_
#define SYNCLINE_COMMON_CONFIG_MANIFEST_FIELDS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace syncline {

// The numbers a field accepts.
struct NumberRange {
  double low;
  double high;
  bool low_open;
  bool high_open;

  // False for NaN.
  bool Contains(double value) const;
  // "in [0, 1)", "above 0", "at least 1", "at most 0".
  std::string ToString() const;
};

// What a descriptor can't say about a field of a job manifest.
struct ManifestField {
  // Without positions in lists: "model.layers.linear.units".
  const char* path;
  // Used when the field is not set. Null: there is none, or it depends on other fields
  // (FillManifestDefaults) and the help says how.
  const char* default_text;
  // For numbers.
  NumberRange range;
  // The field names a file or a folder.
  bool is_path;
  // One or two sentences for --helpfull.
  const char* help;
};

// One row for every field that holds a value; a test keeps it complete.
absl::Span<const ManifestField> ManifestFields();

// The row of a path, or null.
const ManifestField* FindManifestField(absl::string_view path);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_MANIFEST_FIELDS_H_
