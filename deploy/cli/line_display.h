#ifndef SYNCLINE_DEPLOY_CLI_LINE_DISPLAY_H_
#define SYNCLINE_DEPLOY_CLI_LINE_DISPLAY_H_

#include <unistd.h>

#include <cstdio>
#include <string>

#include "absl/time/time.h"
#include "common/time/steady_now.h"

namespace syncline {

// Shows how something goes on stdout: one line that is written over on a terminal, else one whenever it has
// changed, at most every `interval`. Not thread-safe.
class LineDisplay {
 public:
  explicit LineDisplay(absl::Duration interval) : interval_(interval) {}

  void Show(const std::string& line) {
    if (terminal_) {
      std::printf("\r\033[K%s", line.c_str());
    } else if (line != last_ && SteadyNow() >= next_) {
      std::printf("%s\n", line.c_str());
      next_ = SteadyNow() + interval_;
      last_ = line;
    }
    std::fflush(stdout);
  }
  void End() {
    if (terminal_) std::printf("\n");
  }

 private:
  const absl::Duration interval_;
  const bool terminal_ = isatty(STDOUT_FILENO) == 1;
  absl::Time next_;
  std::string last_;
};

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_LINE_DISPLAY_H_
