#include "common/rpc/transport_arguments.h"

#include <cstdlib>

#include "grpc/grpc.h"

namespace syncline {
namespace {

constexpr int kMiB = 1 << 20;

}  // namespace

void ForEachTransportArgument(const std::function<void(const std::string& name, int value)>& set) {
  // gRPC asks the environment at its first use and never again.
  static const int once =
      setenv("GRPC_EXPERIMENTS",
             "tcp_frame_size_tuning,tcp_rcv_lowat,tcp_read_chunks,flow_control_fixes", 0);
  (void)once;
  set(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 4 * kMiB);
  set(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, kMiB);
  set(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 8 * kMiB);
  set(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  set("grpc.experimental.tcp_read_chunk_size", kMiB);
  set("grpc.experimental.tcp_min_read_chunk_size", kMiB / 4);
  set("grpc.experimental.tcp_max_read_chunk_size", 4 * kMiB);
}

}  // namespace syncline
