#ifndef SYNCLINE_SERVER_SERVICE_WORKER_STATE_CALLS_H_
#define SYNCLINE_SERVER_SERVICE_WORKER_STATE_CALLS_H_

#include "absl/status/status.h"
#include "grpcpp/support/sync_stream.h"
#include "proto/parameter_server.pb.h"
#include "server/shard/shard.h"

namespace syncline {

// The two streams of WorkerStatePart. Both block on the network; a stream that breaks off leaves nothing
// behind. Thread-safe.

// Takes a worker's state in. INVALID_ARGUMENT for a stream that does not begin with a head, or whose
// parts do not fit the shard.
absl::Status ReceiveWorkerState(grpc::ServerReaderInterface<WorkerStatePart>* parts, Shard* shard);

// Sends what the sender's rank goes on from; nothing if there is none.
absl::Status SendWorkerState(const Sender& to, Shard* shard,
                             grpc::ServerWriterInterface<WorkerStatePart>* parts);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_WORKER_STATE_CALLS_H_
