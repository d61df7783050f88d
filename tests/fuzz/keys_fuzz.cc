// Packed keys: no input crashes the decoder, and keys that it accepts come back when they are packed again. The first
// byte says into pieces of which size the rest is cut, the second which slot they are of.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/table/packed_keys.h"
#include "common/table/row_hash.h"

namespace syncline {
namespace {

constexpr uint32_t kSlots = 256;

absl::Span<const uint64_t> KeysIn(const Buffer& unpacked) {
  return {reinterpret_cast<const uint64_t*>(unpacked.data()), unpacked.size() / sizeof(uint64_t)};
}

void PackAgain(absl::Span<const uint64_t> keys, uint32_t slot) {
  for (const uint64_t key : keys) {
    if (SlotOfKey(key, kSlots) != slot) return;  // a shard refuses them
  }
  const std::string packed = PackKeys(keys, slot, kSlots);
  const auto back = UnpackKeys(Fragments::Of(packed.data(), packed.size()), slot, kSlots);
  // Keys that come twice may be more than there are numbers.
  if (back.ok() ? KeysIn(*back) == keys : keys.size() > 256) return;
  std::fprintf(stderr, "%zu keys came back as others\n", keys.size());
  std::abort();
}

}  // namespace
}  // namespace syncline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t piece = data[0] + 1;
  const uint32_t slot = data[1];
  syncline::Fragments packed;
  for (size_t i = 2; i < size; i += piece) packed.Append(data + i, std::min(piece, size - i));
  const auto keys = syncline::UnpackKeys(packed, slot, syncline::kSlots);
  if (keys.ok() && keys->size() > 0) syncline::PackAgain(syncline::KeysIn(*keys), slot);
  return 0;
}
