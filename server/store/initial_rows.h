#ifndef SYNCLINE_SERVER_STORE_INITIAL_ROWS_H_
#define SYNCLINE_SERVER_STORE_INITIAL_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "proto/parameter_server.pb.h"

namespace syncline {

// The first weights of a table's rows. Each is a function of (seed, table name, key, place in the
// row) and nothing else, so a row that nobody has stored yet reads the same everywhere. Immutable,
// thread-safe.
class InitialRows {
 public:
  // All zeros.
  InitialRows() = default;
  InitialRows(const Initializer& settings, uint64_t seed, const std::string& table);

  // The row of `key`, `dim` weights.
  void Fill(uint64_t key, size_t dim, float* to) const;

 private:
  Initializer::Kind kind_ = Initializer::ZEROS;
  double a_ = 0;
  double b_ = 0;
  uint64_t table_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_INITIAL_ROWS_H_
