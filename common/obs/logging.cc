#include "common/obs/logging.h"

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

// %* : the message as the inside of a JSON string.
class JsonMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& to) override {
    for (const char c : absl::string_view(message.payload.data(), message.payload.size())) {
      if (c == '"' || c == '\\') {
        to.push_back('\\');
        to.push_back(c);
      } else if (static_cast<unsigned char>(c) < 0x20) {
        static constexpr char kHex[] = "0123456789abcdef";
        const std::string escaped = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
        to.append(escaped.data(), escaped.data() + escaped.size());
      } else {
        to.push_back(c);
      }
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonMessage>();
  }
};

}  // namespace

absl::Status ConfigureLogging(const std::string& process, const std::string& format,
                              const std::string& level) {
  const std::set<std::string> levels = {"trace", "debug", "info", "warn", "error", "off"};
  if (levels.count(level) == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--log_level is \"", level, "\": it must be trace, debug, info, warn, error or off"));
  }
  if (format != "text" && format != "json") {
    return absl::InvalidArgumentError(
        absl::StrCat("--log_format is \"", format, "\": it must be text or json"));
  }
  auto logger =
      std::make_shared<spdlog::logger>(process, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<JsonMessage>('*');
  formatter->set_pattern(
      format == "text"
          ? "%Y-%m-%d %H:%M:%S.%e %n %l: %v"
          : "{\"time\":\"%Y-%m-%dT%H:%M:%S.%e%z\",\"level\":\"%l\",\"process\":\"%n\","
            "\"message\":\"%*\"}");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

}  // namespace syncline
