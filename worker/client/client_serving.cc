#include <map>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_join.h"
#include "common/cluster/tables.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_macros.h"
#include "proto/parameter_server.grpc.pb.h"
#include "worker/client/client_impl.h"
#include "worker/client/serving_map.h"

namespace syncline {
namespace {

constexpr absl::Duration kAskTimeout = absl::Seconds(2);

using Stubs = std::map<std::string, std::unique_ptr<ParameterServer::Stub>>;  // by address

// The maps of those that answer.
absl::StatusOr<std::vector<ServedMap>> AskForMaps(const Stubs& stubs) {
  std::vector<ServedMap> maps;
  absl::Status last;
  for (const auto& [address, stub] : stubs) {
    const auto reply = Call<GetMapReply>(*stub, &ParameterServer::Stub::GetMap, GetMapRequest(), kAskTimeout);
    if (!reply.ok() || reply->maps().empty()) {
      last = reply.status();
      continue;
    }
    maps.push_back({address, reply->maps(0).map()});
  }
  if (maps.empty() && !last.ok()) return last;
  return maps;
}

// Versions of it are never asked for, and nothing is pushed: all that counts are its tables.
JoinWorkerReply ReaderOf(const ShardMap& map) {
  JoinWorkerReply reader;
  JobManifest* const job = reader.mutable_job();
  job->set_sync_mode(ASYNC);
  job->set_shared_memory(false);
  for (const TensorSpec& tensor : map.tensors()) {
    if (IsTable(tensor)) {
      *job->add_tables() = tensor.table();
      job->mutable_tables()->rbegin()->set_name(tensor.name());
      job->mutable_tables()->rbegin()->clear_cache();
    }
  }
  return reader;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::ConnectToServers(const ClientOptions& options,
                                                                 absl::Span<const std::string> servers) {
  if (servers.empty()) return absl::InvalidArgumentError("servers: name at least one, HOST:PORT");
  Stubs stubs;
  for (const std::string& address : servers) {
    SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address, options.security));
    stubs[address] = ParameterServer::NewStub(channel);
  }
  absl::BitGen random;
  ShardMap map;
  SYNCLINE_RETURN_IF_ERROR(RetryUntil(
      SteadyNow() + options.deadline, absl::StrCat("asking ", absl::StrJoin(servers, ", ")), [&]() -> absl::Status {
        SYNCLINE_ASSIGN_OR_RETURN(const auto maps, AskForMaps(stubs));
        SYNCLINE_ASSIGN_OR_RETURN(
            map, JoinServedMaps(maps, [&](size_t count) { return absl::Uniform<size_t>(random, 0, count); }));
        return absl::OkStatus();
      }));
  auto client = std::make_unique<ClientImpl>(options, nullptr, ReaderOf(map));
  SYNCLINE_RETURN_IF_ERROR(client->StartRoutes(
      map, std::vector<TensorCodecs>(static_cast<size_t>(map.tensors_size()), {CODEC_NONE, CODEC_NONE})));
  return client;
}

}  // namespace syncline
