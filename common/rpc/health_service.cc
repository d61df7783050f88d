#include "common/rpc/health_service.h"

#include <optional>

#include "absl/time/time.h"

namespace syncline {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// How soon a Watch notices that its caller has gone.
constexpr absl::Duration kLook = absl::Milliseconds(200);

HealthCheckResponse::ServingStatus StatusOf(bool serving) {
  return serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

}  // namespace

void HealthService::SetServing(bool serving) {
  absl::MutexLock lock(&mu_);
  serving_ = serving;
}

void HealthService::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
}

grpc::Status HealthService::Check(grpc::ServerContext*, const HealthCheckRequest* request,
                                  HealthCheckResponse* response) {
  if (!request->service().empty()) {
    return {grpc::StatusCode::NOT_FOUND, "ask for the empty name: the server is healthy as a whole"};
  }
  absl::MutexLock lock(&mu_);
  response->set_status(StatusOf(serving_));
  return grpc::Status::OK;
}

grpc::Status HealthService::Watch(grpc::ServerContext* context, const HealthCheckRequest* request,
                                  grpc::ServerWriter<HealthCheckResponse>* writer) {
  const bool known = request->service().empty();
  std::optional<HealthCheckResponse::ServingStatus> told;
  while (!context->IsCancelled()) {
    HealthCheckResponse now;
    {
      absl::MutexLock lock(&mu_);
      const auto status = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return known ? StatusOf(serving_) : HealthCheckResponse::SERVICE_UNKNOWN;
      };
      const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return closed_ || told != status();
      };
      mu_.AwaitWithTimeout(absl::Condition(&changed), kLook);
      if (closed_) return {grpc::StatusCode::UNAVAILABLE, "the server is shutting down"};
      now.set_status(status());
    }
    if (told == now.status()) continue;
    told = now.status();
    if (!writer->Write(now)) break;
  }
  return grpc::Status::CANCELLED;
}

}  // namespace syncline
