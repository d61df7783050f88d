#include "server/service/served_checkpoint.h"

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/cluster/life.h"
#include "common/cluster/shard_map.h"
#include "common/cluster/tables.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"
#include "common/wire/message.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/shard/shard.h"
#include "server/store/table_format.h"

namespace syncline {
namespace {

constexpr uint32_t kMaxParts = 4096;

// Its weights are what its state makes of them.
bool NeedsState(const Table& table) { return table.optimizer().exact(); }

// The table as it is served: by a rule that keeps no state.
Table Stateless(Table table) {
  if (NeedsState(table)) return table;
  RowOptimizer sgd;
  sgd.set_kind(ROW_OPTIMIZER_SGD);
  sgd.set_learning_rate(table.optimizer().learning_rate());
  *table.mutable_optimizer() = sgd;
  return table;
}

// The rows of a slot up to the end of their weights: state comes after them (server/store/row_format).
absl::StatusOr<Fragments> WithoutState(const Table& table, const Fragments& rows) {
  SYNCLINE_ASSIGN_OR_RETURN(const RowFormat format, FormatOf(table));
  if (rows.empty() || NeedsState(table) || format.weights_end() == format.stride()) return rows;
  if (rows.size() % format.stride() != 0) {
    return absl::DataLossError(absl::StrCat("a slot of table ", table.name(), " has ", rows.size(),
                                            " bytes, which are no rows of ", format.stride()));
  }
  const size_t count = rows.size() / format.stride();
  Buffer bare = Buffer::Allocate(count * format.weights_end());
  std::vector<char> row(format.stride());
  FloatReader reader(rows);
  for (size_t i = 0; i < count; ++i) {
    reader.Copy(format.stride(), row.data());
    std::memcpy(bare.data() + i * format.weights_end(), row.data(), format.weights_end());
  }
  return bare.Share();
}

// What a reader has to know of a map.
ShardMap Bare(ShardMap map) {
  map.clear_shards();
  for (TensorSpec& tensor : *map.mutable_tensors()) {
    tensor.clear_initializer();
    if (!IsTable(tensor)) continue;
    Table table;
    table.set_dim(tensor.table().dim());
    table.set_slots(tensor.table().slots());
    *tensor.mutable_table() = table;
  }
  return map;
}

absl::StatusOr<ShardMap> MapOfParts(const CheckpointManifest& manifest, ServePart part) {
  std::vector<TensorSpec> tensors(manifest.map().tensors().begin(), manifest.map().tensors().end());
  for (TensorSpec& tensor : tensors) {
    if (IsTable(tensor)) *tensor.mutable_table() = Stateless(tensor.table());
  }
  std::vector<std::string> places(part.count);
  places[part.index] = absl::StrCat("part ", part.index, "/", part.count);
  return MakeShardMap(tensors, places, manifest.map().chunk_bytes(), /*keep_tensors_whole=*/false);
}

// A step of it is never made, so all it says is how weights begin, and at which step they are.
JobManifest ServingJob(const CheckpointManifest& manifest) {
  JobManifest job;
  job.set_name(manifest.job().name());
  job.set_seed(manifest.job().seed());
  job.set_sync_mode(SYNC);
  job.mutable_optimizer()->set_kind(SGD);
  job.mutable_optimizer()->set_learning_rate(0.01);
  return job;
}

// The chunks as they are served, of which `bytes` counts the weights. `reader` and `bytes` must outlive it.
StoredShard Stored(const CheckpointReader& reader, std::vector<ChunkInfo> infos, uint64_t* bytes) {
  StoredShard stored;
  stored.step = reader.manifest().step();
  stored.read = [&reader, infos = std::move(infos), bytes](uint32_t chunk) -> absl::StatusOr<ChunkSnapshot> {
    SYNCLINE_ASSIGN_OR_RETURN(ChunkSnapshot read, reader.Read(chunk, /*with_state=*/false));
    const TensorSpec& tensor = reader.manifest().map().tensors(static_cast<int>(infos[chunk].tensor));
    if (IsTable(tensor)) {
      SYNCLINE_ASSIGN_OR_RETURN(read.weights, WithoutState(tensor.table(), read.weights));
    }
    *bytes += read.weights.size();
    return read;
  };
  return stored;
}

}  // namespace

absl::StatusOr<ServePart> ParseServePart(absl::string_view text) {
  const std::vector<absl::string_view> numbers = absl::StrSplit(text, '/');
  ServePart part;
  if (numbers.size() == 2 && absl::SimpleAtoi(numbers[0], &part.index) && absl::SimpleAtoi(numbers[1], &part.count) &&
      part.index < part.count && part.count <= kMaxParts) {
    return part;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--serve_part is \"", text, "\"; accepted: I/N, with I from 0 to N - 1 and N at most ", kMaxParts));
}

ServedCheckpoint::ServedCheckpoint(std::string folder, const CheckpointManifest& manifest)
    : folder_(std::move(folder)),
      job_(manifest.job().name()),
      step_(manifest.step()),
      host_([](const ConfigureRequest& request) {
        ShardOptions options;
        options.job = request.job();
        options.map = request.map();
        options.shard = request.shard();
        options.life = NewLife();  // versions of two checkpoints may be the same numbers
        return Shard::Create(std::move(options));
      }),
      calls_(&host_, {nullptr, 0}) {}

absl::StatusOr<std::unique_ptr<ServedCheckpoint>> ServedCheckpoint::Load(FileSystem& files, const std::string& folder,
                                                                         ServePart part) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto reader, CheckpointReader::Open(files, folder));
  std::unique_ptr<ServedCheckpoint> served(new ServedCheckpoint(folder, reader->manifest()));
  SYNCLINE_RETURN_IF_ERROR(served->Restore(reader.get(), part));
  return served;
}

absl::Status ServedCheckpoint::Restore(CheckpointReader* reader, ServePart part) {
  ConfigureRequest request;
  *request.mutable_job() = ServingJob(reader->manifest());
  SYNCLINE_ASSIGN_OR_RETURN(*request.mutable_map(), MapOfParts(reader->manifest(), part));
  request.set_shard(part.index);
  SYNCLINE_RETURN_IF_ERROR(reader->Prepare(OwnedChunks(request.map(), part.index)));
  SYNCLINE_RETURN_IF_ERROR(host_.Configure(request).status());
  SYNCLINE_ASSIGN_OR_RETURN(const auto shard, host_.shard());
  return shard->Restore(Stored(*reader, Chunks(request.map()), &bytes_));
}

absl::StatusOr<grpc::ByteBuffer> ServedCheckpoint::Pull(const grpc::ByteBuffer& request) {
  // Without members and steps nothing is waited for.
  absl::StatusOr<grpc::ByteBuffer> reply = absl::InternalError("a pull of a checkpoint waits");
  calls_.Pull(request, nullptr, [&reply](absl::StatusOr<grpc::ByteBuffer> answer) { reply = std::move(answer); });
  if (reply.ok()) return reply;
  const auto pull = DecodeMessage<PullRequest>(request);
  if (!pull.ok() || pull->observer()) return reply;
  return absl::FailedPreconditionError(
      "observer: this server serves a checkpoint, which has no workers; pull as an observer "
      "(Client::ConnectToServers)");
}

absl::StatusOr<GetMapReply> ServedCheckpoint::GetMap() const {
  SYNCLINE_ASSIGN_OR_RETURN(const auto shard, host_.shard());
  return shard->GetMap();
}

absl::StatusOr<ShardStatusReply> ServedCheckpoint::Status() const {
  SYNCLINE_ASSIGN_OR_RETURN(const auto shard, host_.shard());
  return shard->Status();
}

absl::Status ServedCheckpoint::CheckFollows(const ServedCheckpoint& next) const {
  SYNCLINE_ASSIGN_OR_RETURN(const GetMapReply mine, GetMap());
  SYNCLINE_ASSIGN_OR_RETURN(const GetMapReply others, next.GetMap());
  const ShardMap map = Bare(mine.maps(0).map()), other = Bare(others.maps(0).map());
  if (google::protobuf::util::MessageDifferencer::Equals(map, other)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(next.folder(), " has other tensors or tables than ", folder_,
                   ", which clients read: start a server of its own for it"));
}

}  // namespace syncline
