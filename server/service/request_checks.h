#ifndef SYNCLINE_SERVER_SERVICE_REQUEST_CHECKS_H_
#define SYNCLINE_SERVER_SERVICE_REQUEST_CHECKS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// What every request of a peer must fulfil before the core hears of it.

// FAILED_PRECONDITION naming both versions when the peer speaks another protocol.
absl::Status CheckProtocol(uint32_t protocol);

// The protocol, and an incarnation (they count from 1).
absl::Status CheckSender(const Sender& sender);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_REQUEST_CHECKS_H_
