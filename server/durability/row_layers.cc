#include "server/durability/row_layers.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "common/tensor/keys.h"
#include "server/store/row_format.h"
#include "server/store/row_stream.h"

namespace syncline {

Fragments MergeRowLayers(std::vector<RowLayer> newest_first, size_t stride) {
  auto layers = std::make_shared<const std::vector<RowLayer>>(std::move(newest_first));
  Fragments merged(layers);
  // Keys of which a newer layer has said what is with them.
  absl::flat_hash_set<uint64_t> said;
  for (const RowLayer& layer : *layers) {
    const bool oldest = &layer == &layers->back();
    std::vector<uint64_t> here;
    const char* run = nullptr;  // rows that follow one another are one piece
    size_t length = 0;
    const auto end_run = [&] {
      merged.Append(run, length);
      run = nullptr;
      length = 0;
    };
    ForEachRow(layer.rows, stride, [&](const char* row) {
      const uint64_t key = RowFormat::Key(row);
      if (!oldest) here.push_back(key);
      if (said.contains(key)) return absl::OkStatus();
      if (run != nullptr && row != run + length) end_run();
      if (run == nullptr) run = row;
      length += stride;
      return absl::OkStatus();
    }).IgnoreError();
    end_run();
    said.insert(here.begin(), here.end());
    const Keys erased(layer.erased);
    said.insert(erased.get().begin(), erased.get().end());
  }
  return merged;
}

}  // namespace syncline
