#include "common/obs/status_page.h"

#include <atomic>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

#include "CivetServer.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "prometheus/metric_family.h"
#include "prometheus/text_serializer.h"

namespace syncline {
namespace {

std::vector<prometheus::MetricFamily> ToFamilies(const std::vector<Metric>& metrics) {
  std::map<std::string, prometheus::MetricFamily> families;
  for (const Metric& metric : metrics) {
    prometheus::MetricFamily& family = families[metric.name];
    family.name = metric.name;
    family.help = metric.help;
    const bool counter = metric.kind == Metric::Kind::kCounter;
    family.type = counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    prometheus::ClientMetric one;
    for (const auto& [name, value] : metric.labels) one.label.push_back({name, value});
    (counter ? one.counter.value : one.gauge.value) = metric.value;
    family.metric.push_back(std::move(one));
  }
  std::vector<prometheus::MetricFamily> list;
  for (auto& [name, family] : families) list.push_back(std::move(family));
  return list;
}

void Answer(mg_connection* connection, int code, const std::string& text) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
            "Connection: close\r\n\r\n",
            code, code == 200 ? "OK" : "Service Unavailable", text.size());
  mg_write(connection, text.data(), text.size());
}

void Knock(const std::string& host, int port) {
  char error[256];
  mg_connection* const connection = mg_connect_client(host.c_str(), port, /*use_ssl=*/0, error, sizeof(error));
  if (connection != nullptr) mg_close_connection(connection);
}

class Handler final : public CivetHandler {
 public:
  using Page = std::function<std::pair<int, std::string>()>;
  explicit Handler(Page page) : page_(std::move(page)) {}

  bool handleGet(CivetServer*, mg_connection* connection) override {
    const auto [code, text] = page_();
    Answer(connection, code, text);
    return true;
  }

 private:
  const Page page_;
};

class StatusPageImpl final : public StatusPage {
 public:
  explicit StatusPageImpl(Options options)
      : options_(std::move(options)),
        metrics_([this] { return std::make_pair(200, Metrics()); }),
        health_([] { return std::make_pair(200, std::string("ok\n")); }),
        ready_([this] {
          const std::string reason = options_.not_ready ? options_.not_ready() : "";
          if (!reason.empty()) return std::make_pair(503, reason + "\n");
          return std::make_pair(200, options_.ready ? absl::StrCat("ready: ", options_.ready(), "\n") : "ready\n");
        }),
        server_({"listening_ports", options_.listen, "num_threads", "2"}) {
    server_.addHandler("/metrics", metrics_);
    server_.addHandler("/healthz", health_);
    server_.addHandler("/readyz", ready_);
  }
  // CivetWeb looks whether it is to stop every two seconds, or when somebody connects.
  ~StatusPageImpl() override {
    std::atomic<bool> closed{false};
    std::thread knocking([&closed, host = options_.listen.substr(0, options_.listen.rfind(':')), port = port()] {
      while (!closed) {
        Knock(host, port);
        absl::SleepFor(absl::Milliseconds(2));
      }
    });
    server_.close();
    closed = true;
    knocking.join();
  }

  int port() const override {
    const std::vector<int> ports = const_cast<CivetServer&>(server_).getListeningPorts();
    return ports.empty() ? 0 : ports[0];
  }

 private:
  std::string Metrics() const {
    if (!options_.metrics) return "";
    return prometheus::TextSerializer().Serialize(ToFamilies(options_.metrics()));
  }

  const Options options_;
  Handler metrics_, health_, ready_;
  CivetServer server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<StatusPage>> StatusPage::Start(Options options) {
  const std::string listen = options.listen;
  try {
    return std::make_unique<StatusPageImpl>(std::move(options));
  } catch (const std::exception& error) {  // CivetServer's only way to fail
    return absl::UnavailableError(absl::StrCat("cannot serve the status page on ", listen,
                                               ": is --http_port in use? (", error.what(), ")"));
  }
}

}  // namespace syncline
