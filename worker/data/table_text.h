#ifndef SYNCLINE_WORKER_DATA_TABLE_TEXT_H_
#define SYNCLINE_WORKER_DATA_TABLE_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace syncline {

// Walks over the lines of a text that is read by people and programs alike. Lines end in LF or
// CRLF; empty ones are skipped. The text must outlive the reader.
class LineReader {
 public:
  // `before`: lines of the file that come before the text.
  explicit LineReader(absl::string_view text, size_t before = 0) : rest_(text), number_(before) {}

  // False at the end.
  bool Next();
  // Without its end. Valid while the text is.
  absl::string_view line() const { return line_; }
  // From 1.
  size_t number() const { return number_; }

 private:
  absl::string_view rest_;
  absl::string_view line_;
  size_t number_;
};

// Reads a finite number that is the whole of `text`, spaces around it aside.
bool ParseFloat(absl::string_view text, float* value);

// "FILE:LINE:COLUMN: what", an invalid-argument error. `place` lies in `line`.
absl::Status TextError(const std::string& file, const LineReader& at, absl::string_view place,
                       absl::string_view what);

// A text as an error shows it: in quotes, escaped, cut.
std::string ShownText(absl::string_view text);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_TABLE_TEXT_H_
