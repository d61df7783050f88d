#ifndef SYNCLINE_TESTS_INTEGRATION_TABLE_JOB_H_
#define SYNCLINE_TESTS_INTEGRATION_TABLE_JOB_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "proto/job.pb.h"

namespace syncline {

// Jobs with tables of rows, complete but for what a test changes in them.

// A table whose rows begin with the defaults' weights and move by minus their gradients.
Table* AddTable(const std::string& name, size_t dim, uint32_t slots, JobManifest* job);

// A job whose workers the test leads (TableWorker); tables are to be added. Its weight moves by minus its gradient.
JobManifest LedJob(SyncMode mode, uint32_t shards);

// A job of two workers that train on `lines`, which have `columns`. Its model's input is their rows of a table "rows".
JobManifest RowsJob(const std::string& lines, const std::string& columns, size_t dim, uint32_t slots);

}  // namespace syncline

#endif  // SYNCLINE_TESTS_INTEGRATION_TABLE_JOB_H_
