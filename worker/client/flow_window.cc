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
  if (delay >= now_.delay) return;
  now_.delay = delay;
  now_.bytes = bytes;
}

double FlowWindow::rate() const { return std::max(now_.rate, before_.rate); }

size_t FlowWindow::limit() const {
  size_t window = options_.initial;
  if (rate() > 0) {
    // The path's own delay is what the shortest call took beyond sending its bytes.
    const Period& shortest = now_.delay <= before_.delay ? now_ : before_;
    const double product =
        kGain * (rate() * shortest.delay - static_cast<double>(shortest.bytes));
    const double smallest =
        std::min(static_cast<double>(options_.smallest), rate() * options_.queue);
    window = static_cast<size_t>(
        std::clamp(product, smallest, static_cast<double>(options_.largest)));
  }
  return std::min(window, granted_);
}

}  // namespace syncline
