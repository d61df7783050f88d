#ifndef SYNCLINE_COMMON_OBS_STATUS_PAGE_H_
#define SYNCLINE_COMMON_OBS_STATUS_PAGE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace syncline {

// One number for Prometheus, as of now.
struct Metric {
  enum class Kind { kCounter, kGauge };
  std::string name;  // syncline_shard_pushes_total
  std::string help;
  Kind kind = Kind::kGauge;
  std::map<std::string, std::string> labels;
  double value = 0;
};

// The HTTP port of a daemon: /metrics (Prometheus' text format), /healthz (200 while the process
// lives) and /readyz (200 when ready, else 503 with the reason).
class StatusPage {
 public:
  struct Options {
    // host:port; port 0 takes a free one. The host is that of the gRPC listener.
    std::string listen = "127.0.0.1:0";
    // Asked on every scrape, from the page's threads.
    std::function<std::vector<Metric>()> metrics;
    // Empty when ready, else why not.
    std::function<std::string()> not_ready;
    // What /readyz says beside "ready". May be null.
    std::function<std::string()> ready;
  };

  // UNAVAILABLE naming --http_port when the port is in use.
  static absl::StatusOr<std::unique_ptr<StatusPage>> Start(Options options);
  virtual ~StatusPage() = default;

  virtual int port() const = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OBS_STATUS_PAGE_H_
