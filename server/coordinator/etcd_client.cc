#include "server/coordinator/etcd_client.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr absl::Duration kAttempt = absl::Seconds(2);
// Values are up to 1 MiB each, and an answer should not take long.
constexpr int64_t kValuesAtOnce = 16;

bool IsEndpoint(const std::string& endpoint) {
  const size_t colon = endpoint.rfind(':');
  uint32_t port;
  return colon != std::string::npos && colon > 0 &&
         absl::SimpleAtoi(endpoint.substr(colon + 1), &port) && port >= 1 && port <= 65535;
}

}  // namespace

absl::StatusOr<EtcdAddress> ParseEtcdAddress(absl::string_view url,
                                             absl::string_view default_prefix) {
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "etcd://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", url, "\" must be etcd://HOST:PORT[,HOST:PORT...][/PREFIX]"));
  }
  EtcdAddress address;
  const size_t slash = rest.find('/');
  address.endpoints = absl::StrSplit(rest.substr(0, slash), ',');
  for (const std::string& endpoint : address.endpoints) {
    if (IsEndpoint(endpoint)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("\"", endpoint, "\" in \"", url, "\" must be HOST:PORT, with a port from 1 to 65535"));
  }
  address.prefix = std::string(slash == absl::string_view::npos ? default_prefix : rest.substr(slash));
  while (absl::EndsWith(address.prefix, "/")) address.prefix.pop_back();
  if (address.prefix.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the prefix of keys in \"", url, "\" is empty"));
  }
  return address;
}

absl::StatusOr<std::unique_ptr<EtcdClient>> EtcdClient::Create(
    const std::vector<std::string>& endpoints, const SecurityOptions& security) {
  auto client = std::make_unique<EtcdClient>();
  for (const std::string& endpoint : endpoints) {
    SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(endpoint, security));
    client->members_.push_back({endpoint, etcdserverpb::KV::NewStub(channel),
                                etcdserverpb::Lease::NewStub(channel)});
  }
  return client;
}

absl::Status EtcdClient::Ask(const std::function<absl::Status(const Member&)>& call) {
  const size_t first = current_;
  absl::Status status;
  for (size_t i = 0; i < members_.size(); ++i) {
    const size_t at = (first + i) % members_.size();
    status = call(members_[at]);
    if (!IsTransient(status) && !absl::IsDeadlineExceeded(status)) {
      current_ = at;
      return status.ok() ? status
                         : absl::Status(status.code(), absl::StrCat("etcd at ", members_[at].endpoint, ": ",
                                                                    status.message()));
    }
  }
  return absl::UnavailableError(absl::StrCat("no member of etcd answered, the last being ",
                                             members_[(first + members_.size() - 1) % members_.size()].endpoint,
                                             ": ", status.message()));
}

absl::StatusOr<EtcdClient::Lease> EtcdClient::Grant(absl::Duration length) {
  etcdserverpb::LeaseGrantRequest request;
  request.set_ttl(absl::ToInt64Seconds(absl::Ceil(length, absl::Seconds(1))));
  Lease lease;
  SYNCLINE_RETURN_IF_ERROR(Ask([&](const Member& member) -> absl::Status {
    SYNCLINE_ASSIGN_OR_RETURN(const auto reply,
                              Call<etcdserverpb::LeaseGrantResponse>(
                                  *member.lease, &etcdserverpb::Lease::Stub::LeaseGrant, request, kAttempt));
    lease = {reply.id(), absl::Seconds(reply.ttl())};
    return absl::OkStatus();
  }));
  return lease;
}

absl::Status EtcdClient::KeepAlive(int64_t lease) {
  etcdserverpb::LeaseKeepAliveRequest request;
  request.set_id(lease);
  return Ask([&](const Member& member) -> absl::Status {
    // A stream for one word each way, as etcd has no other call for it.
    grpc::ClientContext context;
    context.set_deadline(DeadlineIn(kAttempt));
    const auto stream = member.lease->LeaseKeepAlive(&context);
    etcdserverpb::LeaseKeepAliveResponse reply;
    const bool answered = stream->Write(request) && stream->Read(&reply);
    stream->WritesDone();
    if (!answered) return FromGrpcStatus(stream->Finish());
    context.TryCancel();
    stream->Finish().IgnoreError();
    if (reply.ttl() > 0) return absl::OkStatus();
    return absl::NotFoundError("the lease has ended");
  });
}

absl::Status EtcdClient::Revoke(int64_t lease) {
  etcdserverpb::LeaseRevokeRequest request;
  request.set_id(lease);
  return Ask([&](const Member& member) {
    return Call<etcdserverpb::LeaseRevokeResponse>(*member.lease, &etcdserverpb::Lease::Stub::LeaseRevoke,
                                                   request, kAttempt)
        .status();
  });
}

absl::StatusOr<etcdserverpb::TxnResponse> EtcdClient::Transact(const etcdserverpb::TxnRequest& request) {
  absl::StatusOr<etcdserverpb::TxnResponse> reply;
  SYNCLINE_RETURN_IF_ERROR(Ask([&](const Member& member) {
    reply = Call<etcdserverpb::TxnResponse>(*member.kv, &etcdserverpb::KV::Stub::Txn, request, kAttempt);
    return reply.status();
  }));
  return reply;
}

absl::StatusOr<std::vector<etcdserverpb::KeyValue>> EtcdClient::ReadAll(const std::string& prefix) {
  std::string end = prefix;
  ++end.back();
  etcdserverpb::RangeRequest request;
  request.set_key(prefix);
  request.set_range_end(end);
  request.set_limit(kValuesAtOnce);
  std::vector<etcdserverpb::KeyValue> pairs;
  while (true) {
    absl::StatusOr<etcdserverpb::RangeResponse> reply;
    SYNCLINE_RETURN_IF_ERROR(Ask([&](const Member& member) {
      reply = Call<etcdserverpb::RangeResponse>(*member.kv, &etcdserverpb::KV::Stub::Range, request, kAttempt);
      return reply.status();
    }));
    for (auto& pair : *reply->mutable_kvs()) pairs.push_back(std::move(pair));
    if (!reply->more() || pairs.empty()) return pairs;
    request.set_revision(reply->header().revision());
    request.set_key(pairs.back().key() + '\0');
  }
}

}  // namespace syncline
