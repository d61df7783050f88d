#include "common/config/job_changes.h"

#include "google/protobuf/util/message_differencer.h"

namespace syncline {

std::string FixedDifferences(const JobManifest& running, JobManifest edited) {
  edited.set_shards(running.shards());
  edited.set_workers(running.workers());
  edited.set_rebalance(running.rebalance());
  std::string differences;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&differences);
  differencer.Compare(running, edited);
  return differences;
}

}  // namespace syncline
