#ifndef SYNCLINE_WORKER_DATA_COLUMN_SPLITTER_H_
#define SYNCLINE_WORKER_DATA_COLUMN_SPLITTER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "worker/data/table_text.h"

namespace syncline {

// Splits lines into columns. One is used for all lines of a table. Not thread-safe.
class ColumnSplitter {
 public:
  struct Options {
    size_t columns = 0;
    // What they are, for errors: "model.input and the label".
    std::string what;
    char separator = ',';
    // Whether a field that begins with '"' ends with one, with '""' for '"' in between.
    bool quotes = false;
  };

  explicit ColumnSplitter(Options options);

  // INVALID_ARGUMENT naming file, line and column for a row of another length, or quotes that do not end a field.
  absl::Status Split(const std::string& path, const LineReader& at);

  // Of the line split last: the text of a column, without its quotes, and where in the line it is. Valid until the
  // next.
  absl::string_view field(size_t column) const { return fields_[column]; }
  absl::string_view place(size_t column) const { return places_[column]; }

 private:
  // Takes the next field off `rest`, with what separates it from the one after. False: its quotes do not end it.
  bool Next(absl::string_view* rest, size_t column, bool* last);

  const Options options_;
  // By column; one more for what is too many.
  std::vector<absl::string_view> fields_, places_;
  std::vector<std::string> unquoted_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_COLUMN_SPLITTER_H_
