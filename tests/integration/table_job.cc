#include "tests/integration/table_job.h"

#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_matchers.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {

Table* AddTable(const std::string& name, size_t dim, uint32_t slots, JobManifest* job) {
  Table* const table = job->add_tables();
  table->set_name(name);
  table->set_dim(static_cast<uint32_t>(dim));
  table->set_slots(slots);
  table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
  table->mutable_optimizer()->set_learning_rate(1);
  return table;
}

JobManifest LedJob(SyncMode mode, uint32_t shards) {
  JobManifest job = SmallJob(1, 1, 1000000);
  job.set_sync_mode(mode);
  job.set_shards(shards);
  job.mutable_optimizer()->Clear();
  job.mutable_optimizer()->set_kind(SGD);
  job.mutable_optimizer()->set_learning_rate(1);
  return job;
}

JobManifest RowsJob(const std::string& lines, const std::string& columns, size_t dim, uint32_t slots) {
  const std::string file = FreshFolder("data") + "/train.csv";
  SYNCLINE_EXPECT_OK(WriteFileAtomically(PosixFileSystem(), file, lines));
  JobManifest job = SmallJob(1, 4, 0);
  job.mutable_model()->clear_input();
  job.mutable_model()->add_sparse()->set_table("rows");
  AddTable("rows", dim, slots, &job)->clear_optimizer();
  job.clear_data();
  job.mutable_data()->set_format(CSV);
  job.mutable_data()->set_train(file);
  job.mutable_data()->set_columns(columns);
  job.set_workers(2);
  return job;
}

}  // namespace syncline
