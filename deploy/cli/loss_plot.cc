#include "deploy/cli/loss_plot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace syncline {
namespace {

constexpr double kWidth = 720, kHeight = 420;
constexpr double kLeft = 64, kRight = 20, kTop = 44, kBottom = 48;

// A range of values drawn along an axis, with round numbers marked.
struct Axis {
  double low, high, step;

  Axis(double from, double to, int marks) : low(from), high(to) {
    if (!(high > low)) high = low + 1;
    const double rough = (high - low) / marks;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    step = 10 * power;
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor * power >= rough) {
        step = factor * power;
        break;
      }
    }
  }
  double Share(double value) const { return (value - low) / (high - low); }
};

double X(const Axis& axis, double value) {
  return kLeft + axis.Share(value) * (kWidth - kLeft - kRight);
}
double Y(const Axis& axis, double value) {
  return kHeight - kBottom - axis.Share(value) * (kHeight - kTop - kBottom);
}

}  // namespace

std::string LossPlot(const std::string& title,
                     const google::protobuf::RepeatedPtrField<LossPoint>& points) {
  double last_epoch = 0, highest = 0;
  for (const LossPoint& point : points) {
    last_epoch = std::max(last_epoch, point.epoch());
    if (std::isfinite(point.loss())) highest = std::max(highest, point.loss());
  }
  const Axis x(0, last_epoch, 8), y(0, highest * 1.05, 6);
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" font-family=\"sans-serif\" "
      "font-size=\"13\" fill=\"#333\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
      kWidth, kHeight);
  absl::StrAppendFormat(&svg, "<text x=\"%g\" y=\"26\" font-size=\"16\">%s</text>\n", kLeft,
                        absl::StrReplaceAll(title, {{"&", "&amp;"}, {"<", "&lt;"}}));
  for (double v = 0; v <= y.high; v += y.step) {
    absl::StrAppendFormat(&svg,
                          "<path d=\"M%g %.1fH%g\" stroke=\"#ddd\"/><text x=\"%g\" y=\"%.1f\" "
                          "text-anchor=\"end\">%g</text>\n",
                          kLeft, Y(y, v), kWidth - kRight, kLeft - 8, Y(y, v) + 4, v);
  }
  for (double v = 0; v <= x.high; v += x.step) {
    absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%g</text>\n",
                          X(x, v), kHeight - kBottom + 20, v);
  }
  absl::StrAppendFormat(&svg, "<text x=\"%g\" y=\"%g\" text-anchor=\"middle\">epoch</text>\n",
                        (kLeft + kWidth - kRight) / 2, kHeight - 10);
  absl::StrAppend(&svg, "<polyline fill=\"none\" stroke=\"#0b6bcb\" stroke-width=\"2\" points=\"");
  for (const LossPoint& point : points) {
    if (!std::isfinite(point.loss())) continue;
    absl::StrAppendFormat(&svg, "%.1f,%.1f ", X(x, point.epoch()), Y(y, point.loss()));
  }
  absl::StrAppend(&svg, "\"/>\n</svg>\n");
  return svg;
}

}  // namespace syncline
