#include "common/wire/chunk_message.h"

#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/wire/slice_cursor.h"
#include "common/wire/slices.h"

namespace syncline {
namespace {

constexpr size_t kMaxHeadBytes = 64 << 10;
constexpr size_t kMaxHandOverHeadBytes = 1 << 20;

// Bytes of a ChunkData before its keys and its tensor.
std::string ChunkPrefix(const WireChunk& chunk) {
  std::string prefix;
  const auto number = [&prefix](int field, uint64_t value) {
    if (value == 0) return;
    AppendTag(field, SliceCursor::kVarint, &prefix);
    AppendVarint(value, &prefix);
  };
  number(ChunkData::kChunkFieldNumber, chunk.chunk);
  number(ChunkData::kVersionFieldNumber, chunk.version);
  number(ChunkData::kOffsetFieldNumber, chunk.offset);
  number(ChunkData::kCodecFieldNumber, chunk.codec);
  number(ChunkData::kUnchangedFieldNumber, chunk.unchanged);
  return prefix;
}

std::string BytesPrefix(int field, size_t size) {
  std::string prefix;
  AppendTag(field, SliceCursor::kBytes, &prefix);
  AppendVarint(size, &prefix);
  return prefix;
}

// What was written so far and `bytes`, which stay where they are.
void AddBytes(const Fragments& bytes, std::string* pending, std::vector<grpc::Slice>* slices) {
  if (bytes.empty()) return;
  slices->emplace_back(*pending);
  pending->clear();
  for (const Fragments::Piece& piece : bytes.pieces()) slices->push_back(SliceOf(bytes, piece));
}

grpc::ByteBuffer Encode(std::string head, int chunk_field, absl::Span<const WireChunk> chunks) {
  std::vector<grpc::Slice> slices;
  slices.reserve(2 * chunks.size() + 1);
  // Bytes that precede the next tensor; small, so they are copied into one slice.
  std::string pending = std::move(head);
  for (const WireChunk& chunk : chunks) {
    const std::string prefix = ChunkPrefix(chunk);
    const std::string keys =
        chunk.keys.empty() ? "" : BytesPrefix(ChunkData::kKeysFieldNumber, chunk.keys.size());
    const std::string data = BytesPrefix(ChunkData::kDataFieldNumber, chunk.data.size());
    AppendTag(chunk_field, SliceCursor::kBytes, &pending);
    AppendVarint(prefix.size() + keys.size() + chunk.keys.size() + data.size() + chunk.data.size(), &pending);
    pending += prefix + keys;
    AddBytes(chunk.keys, &pending, &slices);
    pending += data;
    AddBytes(chunk.data, &pending, &slices);
  }
  if (!pending.empty()) slices.emplace_back(pending);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

absl::StatusOr<WireChunk> ReadChunk(size_t end, SliceCursor& cursor) {
  WireChunk chunk;
  while (cursor.position() < end) {
    SYNCLINE_ASSIGN_OR_RETURN(const SliceCursor::Tag tag, cursor.ReadTag());
    if (tag.field == ChunkData::kChunkFieldNumber && tag.type == SliceCursor::kVarint) {
      SYNCLINE_ASSIGN_OR_RETURN(const uint64_t id, cursor.Varint());
      if (id > std::numeric_limits<uint32_t>::max()) {
        return absl::InvalidArgumentError(
            absl::StrCat("chunks.chunk: ", id, " is not below 2^32"));
      }
      chunk.chunk = static_cast<uint32_t>(id);
    } else if (tag.field == ChunkData::kVersionFieldNumber && tag.type == SliceCursor::kVarint) {
      SYNCLINE_ASSIGN_OR_RETURN(chunk.version, cursor.Varint());
    } else if (tag.field == ChunkData::kOffsetFieldNumber && tag.type == SliceCursor::kVarint) {
      SYNCLINE_ASSIGN_OR_RETURN(chunk.offset, cursor.Varint());
    } else if (tag.field == ChunkData::kCodecFieldNumber && tag.type == SliceCursor::kVarint) {
      SYNCLINE_ASSIGN_OR_RETURN(const uint64_t codec, cursor.Varint());
      if (codec > Codec_MAX) {
        return absl::InvalidArgumentError(
            absl::StrCat("chunks.codec: there is no codec ", codec, ", they end at ", Codec_MAX));
      }
      chunk.codec = static_cast<Codec>(codec);
    } else if (tag.field == ChunkData::kUnchangedFieldNumber && tag.type == SliceCursor::kVarint) {
      SYNCLINE_ASSIGN_OR_RETURN(const uint64_t unchanged, cursor.Varint());
      chunk.unchanged = unchanged != 0;
    } else if (tag.field == ChunkData::kDataFieldNumber && tag.type == SliceCursor::kBytes) {
      SYNCLINE_ASSIGN_OR_RETURN(const size_t length, cursor.Length(end));
      chunk.data = cursor.Take(length);
    } else if (tag.field == ChunkData::kKeysFieldNumber && tag.type == SliceCursor::kBytes) {
      SYNCLINE_ASSIGN_OR_RETURN(const size_t length, cursor.Length(end));
      chunk.keys = cursor.Take(length);
    } else {
      SYNCLINE_RETURN_IF_ERROR(cursor.SkipValue(tag.type, end, nullptr));
    }
  }
  if (cursor.position() != end) {
    return absl::InvalidArgumentError("chunks: a field runs past the end of its chunk");
  }
  if (chunk.codec <= CODEC_NONE && chunk.data.size() % sizeof(float) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "chunks.data: ", chunk.data.size(), " bytes are no whole number of float32 (4 bytes each)"));
  }
  return chunk;
}

// Reads the chunks and gathers all other fields' bytes, which are few, in `head`.
absl::StatusOr<std::vector<WireChunk>> Decode(const grpc::ByteBuffer& buffer, int chunk_field,
                                              std::string* head,
                                              size_t max_head = kMaxHeadBytes) {
  SYNCLINE_ASSIGN_OR_RETURN(SliceCursor cursor, SliceCursor::Of(buffer));
  std::vector<WireChunk> chunks;
  while (cursor.position() < cursor.size()) {
    SYNCLINE_ASSIGN_OR_RETURN(const SliceCursor::Tag tag, cursor.ReadTag());
    if (tag.field == static_cast<uint32_t>(chunk_field) && tag.type == SliceCursor::kBytes) {
      SYNCLINE_ASSIGN_OR_RETURN(const size_t length, cursor.Length(cursor.size()));
      SYNCLINE_ASSIGN_OR_RETURN(WireChunk chunk, ReadChunk(cursor.position() + length, cursor));
      chunks.push_back(std::move(chunk));
      continue;
    }
    AppendTag(static_cast<int>(tag.field), tag.type, head);
    SYNCLINE_RETURN_IF_ERROR(cursor.SkipValue(tag.type, cursor.size(), head));
    if (head->size() > max_head) {
      return absl::InvalidArgumentError(
          absl::StrCat("message: fields other than chunks take over ", max_head, " bytes"));
    }
  }
  return chunks;
}

}  // namespace

grpc::ByteBuffer EncodePush(const PushRequest& head, absl::Span<const WireChunk> chunks) {
  return Encode(head.SerializeAsString(), PushRequest::kChunksFieldNumber, chunks);
}

grpc::ByteBuffer EncodePullReply(const PullReply& head, absl::Span<const WireChunk> chunks) {
  return Encode(head.SerializeAsString(), PullReply::kChunksFieldNumber, chunks);
}

grpc::ByteBuffer EncodeHandOver(const HandOverRequest& head, absl::Span<const WireChunk> chunks) {
  return Encode(head.SerializeAsString(), HandOverRequest::kChunksFieldNumber, chunks);
}

absl::StatusOr<DecodedPush> DecodePush(const grpc::ByteBuffer& buffer) {
  std::string head;
  DecodedPush push;
  SYNCLINE_ASSIGN_OR_RETURN(push.chunks, Decode(buffer, PushRequest::kChunksFieldNumber, &head));
  if (!push.head.ParseFromString(head) || !push.head.has_header()) {
    return absl::InvalidArgumentError("header: missing or no PushHeader");
  }
  return push;
}

absl::StatusOr<DecodedPullReply> DecodePullReply(const grpc::ByteBuffer& buffer) {
  std::string head;
  DecodedPullReply reply;
  SYNCLINE_ASSIGN_OR_RETURN(reply.chunks, Decode(buffer, PullReply::kChunksFieldNumber, &head));
  if (!reply.head.ParseFromString(head)) {
    return absl::InvalidArgumentError("pull reply: clock or verdict cannot be read");
  }
  return reply;
}

absl::StatusOr<DecodedHandOver> DecodeHandOver(const grpc::ByteBuffer& buffer) {
  std::string head;
  DecodedHandOver decoded;
  SYNCLINE_ASSIGN_OR_RETURN(decoded.chunks, Decode(buffer, HandOverRequest::kChunksFieldNumber,
                                                   &head, kMaxHandOverHeadBytes));
  if (!decoded.head.ParseFromString(head)) {
    return absl::InvalidArgumentError("hand-over: map_epoch or records cannot be read");
  }
  return decoded;
}

}  // namespace syncline
