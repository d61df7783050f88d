#ifndef SYNCLINE_SERVER_STORE_ROW_FORMAT_H_
#define SYNCLINE_SERVER_STORE_ROW_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/optimizer/row_rule.h"

namespace syncline {

// How the weights of a row are stored. All arithmetic is in float32. What does not fit is rounded
// up or down at random, so that the mean is right and many small updates are not lost (as codec
// int8 does, by a generator that depends on the key and the row's number of updates alone).
enum class StoredAs {
  kFloat32,
  kFloat16,   // IEEE half precision; beyond ±65504: that
  kBfloat16,  // the upper half of float32
  kInt8,      // a float32 scale a row; weight = scale * int8. NaN or infinity makes the row NaN
};

// The bytes of one stored row, little-endian:
//   uint64   key
//   uint32   changed: number of the slot's update that last touched it, modulo 2^32
//   uint32   updates: how many did, at most 2^32 - 1
//   weights  dim of them, as `storage` says; int8: the scale first; with zeros up to 4 bytes
//   state    float32, the rule's arrays one behind the other
// Rows lie at multiples of 4 bytes. A value; thread-safe.
class RowFormat {
 public:
  // `dim` is at least 1.
  RowFormat(size_t dim, StoredAs storage, const RowRule& rule);

  size_t dim() const { return dim_; }
  StoredAs storage() const { return storage_; }
  // Floats of the weights and the state together.
  size_t width() const;
  // Bytes from one row to the next.
  size_t stride() const { return stride_; }
  // Bytes of a row up to the end of its weights.
  size_t weights_end() const { return state_arrays_ > 0 ? state_[0].offset : stride_; }

  static uint64_t Key(const char* row) { return Load<uint64_t>(row); }
  static uint32_t Changed(const char* row) { return Load<uint32_t>(row + kChanged); }
  // Whether an update after number `version` touched it. Exact as long as no row was left alone for 2^31 updates.
  static bool ChangedAfter(uint64_t version, const char* row) {
    return static_cast<int32_t>(Changed(row) - static_cast<uint32_t>(version)) > 0;
  }
  static uint32_t Updates(const char* row) { return Load<uint32_t>(row + kUpdates); }
  static void SetKey(uint64_t key, char* row) { std::memcpy(row, &key, sizeof(key)); }
  static void SetChanged(uint32_t number, char* row) {
    std::memcpy(row + kChanged, &number, sizeof(number));
  }
  static void SetUpdates(uint32_t number, char* row) {
    std::memcpy(row + kUpdates, &number, sizeof(number));
  }

  // The weights as dim() floats, and back.
  void ReadWeights(const char* row, float* weights) const;
  // Key and updates, which choose how to round, must have been set.
  void WriteWeights(const float* weights, char* row) const;

  int state_arrays() const { return state_arrays_; }
  size_t state_width(int array) const { return state_[array].width; }
  void ReadState(const char* row, int array, float* state) const;
  void WriteState(const float* state, int array, char* row) const;

 private:
  static constexpr size_t kChanged = 8;
  static constexpr size_t kUpdates = 12;
  static constexpr size_t kWeights = 16;

  template <typename T>
  static T Load(const char* from) {
    T value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }

  struct StateArray {
    size_t offset = 0;
    size_t width = 0;
  };

  size_t dim_;
  StoredAs storage_;
  int state_arrays_;
  StateArray state_[kMaxRowState];
  size_t stride_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_FORMAT_H_
