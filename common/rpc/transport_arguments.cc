#include "common/rpc/transport_arguments.h"

#include <cstdlib>

#include "grpc/grpc.h"

namespace syncline {
namespace {

constexpr int kMiB = 1 << 20;

// gRPC asks the environment when its first object is made, which may be anywhere, and never again: so this
// comes before main.
const int kEnvironment =
    setenv("GRPC_EXPERIMENTS", "tcp_frame_size_tuning,tcp_rcv_lowat,tcp_read_chunks,flow_control_fixes", 0) |
    // While calls fail at once, as the last connection did, nobody but this poller sees that the next one is
    // there. By default it looks every 5 s, and a connection is given up after one.
    setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "20", 0);

}  // namespace

void ForEachTransportArgument(const std::function<void(const std::string& name, int value)>& set) {
  (void)kEnvironment;
  set(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 4 * kMiB);
  set(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, kMiB);
  set(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 8 * kMiB);
  set(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  set("grpc.experimental.tcp_read_chunk_size", kMiB);
  set("grpc.experimental.tcp_min_read_chunk_size", kMiB / 4);
  set("grpc.experimental.tcp_max_read_chunk_size", 4 * kMiB);
}

}  // namespace syncline
