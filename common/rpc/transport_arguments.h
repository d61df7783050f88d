#ifndef SYNCLINE_COMMON_RPC_TRANSPORT_ARGUMENTS_H_
#define SYNCLINE_COMMON_RPC_TRANSPORT_ARGUMENTS_H_

#include <functional>
#include <string>

namespace syncline {

// Settings of gRPC's HTTP/2 transport for messages of about 1 MiB, the same on both sides of every
// connection: whole messages in one frame and few system calls, instead of 16 KiB frames read 8 KiB
// at a time; windows that hold what is under way from the start, instead of probing for them.
// docs/performance.md has what they bring.
//
// The first call also turns on what gRPC 1.51 still calls experiments, unless the environment has
// GRPC_EXPERIMENTS: it then wakes a reader once for a message instead of once for what has come of
// it. It must come before gRPC is used for anything else.
void ForEachTransportArgument(const std::function<void(const std::string& name, int value)>& set);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_TRANSPORT_ARGUMENTS_H_
