#ifndef SYNCLINE_COMMON_CLUSTER_TABLE_STATUS_H_
#define SYNCLINE_COMMON_CLUSTER_TABLE_STATUS_H_

#include <vector>

#include "proto/coordinator.pb.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// Of each table of the job, in the order of the model's, what all shards have of it together.
inline std::vector<TableStatus> TablesOf(const ClusterStatusReply& status) {
  std::vector<TableStatus> tables;
  for (const ShardStatusReply& shard : status.shards()) {
    for (const TableStatus& part : shard.tables()) {
      TableStatus* sum = nullptr;
      for (TableStatus& table : tables) {
        if (table.name() == part.name()) sum = &table;
      }
      if (sum == nullptr) {
        tables.push_back(part);
        continue;
      }
      sum->set_rows(sum->rows() + part.rows());
      sum->set_bytes(sum->bytes() + part.bytes());
      sum->set_admitted(sum->admitted() + part.admitted());
      sum->set_refused(sum->refused() + part.refused());
      sum->set_evicted(sum->evicted() + part.evicted());
      sum->set_expired(sum->expired() + part.expired());
    }
  }
  return tables;
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_TABLE_STATUS_H_
