#include "worker/data/text.h"

#include <cstdint>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace syncline {
namespace {

class TextDataset : public Dataset {
 public:
  TextDataset(std::vector<uint8_t> tokens, size_t positions)
      : tokens_(std::move(tokens)), positions_(positions) {}

  uint64_t size() const override { return (tokens_.size() - 1) / positions_; }
  size_t features() const override { return positions_; }
  size_t labels() const override { return positions_; }
  void CopyFeatures(absl::Span<const uint32_t> samples, float* to) const override { Copy(samples, 0, to); }
  void CopyClasses(absl::Span<const uint32_t> samples, int32_t* to) const override { Copy(samples, 1, to); }
  void CopyTargets(absl::Span<const uint32_t> samples, float* to) const override { Copy(samples, 1, to); }

 private:
  template <typename T>
  void Copy(absl::Span<const uint32_t> samples, size_t shift, T* to) const {
    for (const uint32_t sample : samples) {
      const uint8_t* from = tokens_.data() + sample * positions_ + shift;
      for (size_t t = 0; t < positions_; ++t) *to++ = static_cast<T>(from[t]);
    }
  }

  const std::vector<uint8_t> tokens_;
  const size_t positions_;
};

}  // namespace

Alphabet::Alphabet(const std::string& text) : numbers_(256, -1) {
  std::vector<bool> there(256);
  for (const char byte : text) there[static_cast<unsigned char>(byte)] = true;
  for (int byte = 0; byte < 256; ++byte) {
    if (!there[byte]) continue;
    numbers_[byte] = static_cast<int>(bytes_.size());
    bytes_.push_back(static_cast<char>(byte));
  }
}

absl::StatusOr<std::unique_ptr<Dataset>> MakeText(const std::string& text, const std::string& path,
                                                  const Alphabet& alphabet, size_t positions,
                                                  size_t vocabulary) {
  if (alphabet.size() > vocabulary) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": ", alphabet.size(), " different bytes, but the embedding's vocabulary is ", vocabulary,
        "; set model.layers[0].embedding.vocabulary, and the last layer's units, to at least ", alphabet.size()));
  }
  if (text.size() < positions + 1) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", text.size(), " bytes are too few for a sample of ",
                                                   positions, " (model.input) and the one that follows"));
  }
  std::vector<uint8_t> tokens;
  tokens.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const int token = alphabet.Number(text[i]);
    if (token < 0) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": byte ", i, ", \"", absl::CHexEscape(text.substr(i, 1)),
                                                     "\", is not in data.train"));
    }
    tokens.push_back(static_cast<uint8_t>(token));
  }
  return std::make_unique<TextDataset>(std::move(tokens), positions);
}

}  // namespace syncline
