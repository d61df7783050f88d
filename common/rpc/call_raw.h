#ifndef SYNCLINE_COMMON_RPC_CALL_RAW_H_
#define SYNCLINE_COMMON_RPC_CALL_RAW_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/byte_buffer.h"

namespace syncline {

// One attempt at a unary call of raw bytes, `method` being "/syncline.ParameterServer/HandOver". Blocks;
// DEADLINE_EXCEEDED after `timeout`. The request's memory is looked at until gRPC lets go of it, which
// may be after the return.
absl::StatusOr<grpc::ByteBuffer> CallRaw(const std::shared_ptr<grpc::Channel>& channel,
                                         const std::string& method,
                                         const grpc::ByteBuffer& request, absl::Duration timeout);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_CALL_RAW_H_
