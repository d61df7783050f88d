#ifndef SYNCLINE_COMMON_WIRE_PROTOCOL_VERSION_H_
#define SYNCLINE_COMMON_WIRE_PROTOCOL_VERSION_H_

#include <cstdint>

namespace syncline {

// Sent by every member in its first message and in every Sender; a peer that speaks another
// version is refused with both numbers in the message. Raised on any change that an older peer
// would misread.
inline constexpr uint32_t kProtocolVersion = 3;

}  // namespace syncline

#endif  // SYNCLINE_COMMON_WIRE_PROTOCOL_VERSION_H_
