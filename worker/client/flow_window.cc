#include "worker/client/flow_window.h"

#include <algorithm>

namespace syncline {
namespace {

// A window of just the product keeps a connection busy and never shows that it could carry more.
constexpr double kGain = 4;

}  // namespace

void FlowWindow::Delivered(const Call& call, size_t bytes, double now) {
  delivered_ += bytes;
  const double delay = now - call.begun;
  if (delay <= 0) return;
  if (now - turned_ > options_.memory) {
    before_ = now_;
    now_ = Period();
    turned_ = now;
  }
  now_.rate = std::max(now_.rate, static_cast<double>(delivered_ - call.delivered) / delay);
  now_.delay = std::min(now_.delay, delay);
}

size_t FlowWindow::limit() const {
  const double rate = std::max(now_.rate, before_.rate);
  size_t window = options_.initial;
  if (rate > 0) {
    const double product = kGain * rate * std::min(now_.delay, before_.delay);
    window = static_cast<size_t>(std::clamp(product, static_cast<double>(options_.smallest),
                                            static_cast<double>(options_.largest)));
  }
  return std::min(window, granted_);
}

}  // namespace syncline
