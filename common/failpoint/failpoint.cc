#include "common/failpoint/failpoint.h"

#include <signal.h>
#include <stdlib.h>

#include <atomic>
#include <string>

#include "absl/strings/numbers.h"

namespace syncline {
namespace {

class Armed {
 public:
  Armed() {
    const char* const set = getenv("SYNCLINE_FAILPOINT");
    if (set == nullptr) return;
    const absl::string_view text(set);
    const size_t equals = text.find('=');
    int times = 1;
    if (equals != absl::string_view::npos && !absl::SimpleAtoi(text.substr(equals + 1), &times)) times = 1;
    name_ = std::string(text.substr(0, equals));
    left_ = times;
  }

  bool set() const { return !name_.empty(); }
  void Reach(absl::string_view name) {
    if (name == name_ && --left_ == 0) raise(SIGKILL);
  }

 private:
  std::string name_;
  std::atomic<int> left_{0};
};

Armed& TheArmed() {
  static Armed* const armed = new Armed;
  return *armed;
}

}  // namespace

bool FailpointSet() { return TheArmed().set(); }

void Failpoint(absl::string_view name) {
  if (FailpointSet()) TheArmed().Reach(name);
}

}  // namespace syncline
