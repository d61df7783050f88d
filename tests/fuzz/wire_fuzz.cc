// The decoders of tensor messages, against protobuf: no input crashes them, and what they accept
// protobuf reads in the same way. The first byte says into pieces of which size the rest is cut.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/wire/chunk_message.h"
#include "common/wire/team_message.h"
#include "proto/parameter_server.pb.h"

namespace syncline {
namespace {

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "protobuf reads it differently: %s\n", what);
  std::abort();
}

std::string Joined(const Fragments& data) {
  std::string bytes;
  for (const Fragments::Piece& piece : data.pieces()) {
    bytes.append(reinterpret_cast<const char*>(piece.data), piece.size);
  }
  return bytes;
}

template <typename Message>
void ExpectSame(const std::string& bytes, const std::vector<WireChunk>& chunks) {
  Message message;
  Expect(message.ParseFromString(bytes), "it is no message");
  Expect(message.chunks_size() == static_cast<int>(chunks.size()), "number of chunks");
  for (int i = 0; i < message.chunks_size(); ++i) {
    Expect(message.chunks(i).chunk() == chunks[i].chunk, "chunk number");
    Expect(message.chunks(i).version() == chunks[i].version, "version");
    Expect(message.chunks(i).data() == Joined(chunks[i].data), "data");
  }
}

}  // namespace
}  // namespace syncline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const size_t piece = size == 0 ? 1 : data[0] + 1;
  const std::string bytes(reinterpret_cast<const char*>(data) + (size > 0), size - (size > 0));
  std::vector<grpc::Slice> slices;
  for (size_t i = 0; i < bytes.size(); i += piece) slices.emplace_back(bytes.substr(i, piece));
  const grpc::ByteBuffer buffer(slices.data(), slices.size());

  const auto push = syncline::DecodePush(buffer);
  if (push.ok()) syncline::ExpectSame<syncline::PushRequest>(bytes, push->chunks);
  const auto pull = syncline::DecodePullReply(buffer);
  if (pull.ok()) syncline::ExpectSame<syncline::PullReply>(bytes, pull->chunks);
  const auto team = syncline::DecodeTeamMessage(buffer);
  if (team.ok()) {
    syncline::TeamMessage message;
    syncline::Expect(message.ParseFromString(bytes), "it is no message");
    syncline::Expect(message.data() == syncline::Joined(team->data), "data");
    syncline::Expect(message.part() == team->head.part(), "part");
  }
  return 0;
}
