#include "worker/local/host_group.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

// FNV-1a: names have room for some 100 bytes, and a job's may take 63.
uint64_t Hash(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

std::string HostGroupName(absl::string_view job, absl::string_view coordinator,
                          absl::string_view part) {
  return absl::StrCat("syncline-host/", geteuid(), "/",
                      absl::Hex(Hash(absl::StrCat(job, "\n", coordinator, "\n", part, "\n",
                                                  HostIdentity())),
                                absl::kZeroPad16));
}

absl::StatusOr<HostPlace> JoinHostGroup(const std::string& name,
                                        const std::function<bool()>& stop) {
  while (!stop || !stop()) {
    auto listener = LocalSocket::Listen(name);
    if (listener.ok()) return HostPlace{true, *std::move(listener)};
    auto leader = LocalSocket::Connect(name);
    if (leader.ok()) {
      SYNCLINE_RETURN_IF_ERROR(leader->CheckPeer());
      return HostPlace{false, *std::move(leader)};
    }
    // The one before has just gone, or the next has bound and does not listen yet.
    absl::SleepFor(absl::Milliseconds(5));
  }
  return absl::CancelledError("stopped");
}

absl::Status Send(const LocalSocket& socket, const HostMessage& message, int descriptor) {
  return socket.Send({reinterpret_cast<const char*>(&message), sizeof(message)}, "", descriptor);
}

absl::StatusOr<HostMessage> Receive(const LocalSocket& socket, int* descriptor) {
  HostMessage message;
  SYNCLINE_ASSIGN_OR_RETURN(
      const size_t size,
      socket.Receive({reinterpret_cast<char*>(&message), sizeof(message)}, descriptor));
  if (size == sizeof(message)) return message;
  if (descriptor != nullptr && *descriptor >= 0) close(std::exchange(*descriptor, -1));
  return absl::InvalidArgumentError(
      absl::StrCat("a message of ", size, " bytes between processes of one host; it must have ",
                   sizeof(message), ": start the same version everywhere"));
}

std::vector<HostPart> CutStep(uint64_t samples, uint64_t batch_size, size_t processes) {
  uint64_t parts = std::max<uint64_t>((samples + batch_size - 1) / batch_size, processes);
  parts = std::min(parts, samples);
  std::vector<HostPart> cut;
  for (uint64_t i = 0; i < parts; ++i) {
    const uint64_t first = samples * i / parts;
    cut.push_back({first, samples * (i + 1) / parts - first});
  }
  return cut;
}

}  // namespace syncline
