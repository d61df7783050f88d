#ifndef SYNCLINE_COMMON_RPC_CHANNEL_H_
#define SYNCLINE_COMMON_RPC_CHANNEL_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/security.h"
#include "grpcpp/channel.h"

namespace syncline {

// A channel to `address` (host:port) with our message limits, keepalive and a quick reconnect
// (50 ms to 1 s). Every call makes a connection of its own, also to the same address. Connects when
// it is first used; errors are those of the credentials' files.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const SecurityOptions& security);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_CHANNEL_H_
