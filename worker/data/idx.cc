#include "worker/data/idx.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "worker/data/data_file.h"

namespace syncline {
namespace {

struct IdxFile {
  std::string bytes;
  size_t begin = 0;  // of the data
  uint64_t samples = 0;
  uint64_t features = 1;  // bytes of each sample

  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(bytes.data()) + begin; }
};

absl::Status Bad(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

uint32_t BigEndian(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

absl::StatusOr<IdxFile> ReadFileOfBytes(const std::string& path) {
  IdxFile file;
  SYNCLINE_ASSIGN_OR_RETURN(file.bytes, ReadDataFile(path));
  const std::string& bytes = file.bytes;
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 8 || bytes[3] == 0) {
    return Bad(path, "not an IDX file of unsigned bytes: it should begin with 00 00 08");
  }
  const size_t rank = static_cast<uint8_t>(bytes[3]);
  file.begin = 4 + 4 * rank;
  if (bytes.size() < file.begin) return Bad(path, "ends inside the IDX header");
  file.samples = BigEndian(bytes, 4);
  for (size_t i = 1; i < rank; ++i) {
    file.features *= BigEndian(bytes, 4 + 4 * i);
    if (file.features > (1 << 24)) return Bad(path, "has over 16777216 features a sample");
  }
  const uint64_t expected = file.begin + file.samples * file.features;
  if (bytes.size() != expected) {
    return Bad(path, absl::StrCat("has ", bytes.size(), " bytes, and its header says ", expected,
                                  ": ", bytes.size() < expected ? "cut short?" : "damaged?"));
  }
  if (file.samples == 0 || file.features == 0) return Bad(path, "holds no samples");
  return file;
}

class IdxDataset : public LabelledDataset {
 public:
  IdxDataset(IdxFile file, std::vector<float> labels, FeatureScale scale)
      : LabelledDataset(std::move(labels)),
        file_(std::move(file)),
        factor_(static_cast<float>(1 / (255 * scale.std))),
        offset_(static_cast<float>(-scale.mean / scale.std)) {}

  size_t features() const override { return file_.features; }

  void CopyFeatures(absl::Span<const uint32_t> samples, float* to) const override {
    // The compiler vectorises this once it knows that `to` is none of what it reads.
    const float factor = factor_;
    const float offset = offset_;
    float* __restrict row = to;
    for (const uint32_t sample : samples) {
      const uint8_t* from = file_.data() + sample * file_.features;
      for (size_t i = 0; i < file_.features; ++i) {
        row[i] = static_cast<float>(static_cast<int>(from[i])) * factor + offset;
      }
      row += file_.features;
    }
  }

 private:
  const IdxFile file_;
  const float factor_;
  const float offset_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> ReadIdx(const std::string& samples_path,
                                                 const std::string& labels_path, size_t features,
                                                 FeatureScale scale, const LabelRule& rule) {
  SYNCLINE_ASSIGN_OR_RETURN(IdxFile samples, ReadFileOfBytes(samples_path));
  SYNCLINE_ASSIGN_OR_RETURN(const IdxFile labels, ReadFileOfBytes(labels_path));
  if (samples.features != features) {
    return Bad(samples_path, absl::StrCat("has ", samples.features,
                                          " features a sample, and model.input is ", features));
  }
  if (labels.features != 1) return Bad(labels_path, "has more than one label a sample");
  if (labels.samples != samples.samples) {
    return Bad(labels_path, absl::StrCat("has ", labels.samples, " labels, and ", samples_path,
                                         " has ", samples.samples, " samples"));
  }
  std::vector<float> values(labels.data(), labels.data() + labels.samples);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!rule.Accept(&values[i])) {
      return Bad(labels_path,
                 absl::StrCat("label ", i, " is ", values[i], ", not ", rule.Accepted()));
    }
  }
  return std::make_unique<IdxDataset>(std::move(samples), std::move(values), scale);
}

}  // namespace syncline
