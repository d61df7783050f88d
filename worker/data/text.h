#ifndef SYNCLINE_WORKER_DATA_TEXT_H_
#define SYNCLINE_WORKER_DATA_TEXT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/data/dataset.h"

namespace syncline {

// The different bytes of a text, which are its tokens: numbered in ascending order.
class Alphabet {
 public:
  explicit Alphabet(const std::string& text);

  size_t size() const { return bytes_.size(); }
  // -1 for a byte that is not in it.
  int Number(char byte) const { return numbers_[static_cast<unsigned char>(byte)]; }

 private:
  std::string bytes_;
  std::vector<int> numbers_;  // by byte
};

// Text as samples: run after run of `positions` tokens, whose labels are the tokens that follow each. What is left
// at the end is no sample. INVALID_ARGUMENT, naming `path`, for a text too short for one, of more than `vocabulary`
// different bytes, or with one that the alphabet lacks.
absl::StatusOr<std::unique_ptr<Dataset>> MakeText(const std::string& text, const std::string& path,
                                                  const Alphabet& alphabet, size_t positions,
                                                  size_t vocabulary);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_TEXT_H_
