#include "deploy/cli/line_plot.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace syncline {
namespace {

constexpr double kWidth = 720, kHeight = 420;
// Told apart also by those who see red and green alike (Okabe and Ito).
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
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

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}});
}

void AppendAxes(const Axis& x, const Axis& y, const std::string& x_label, std::string* svg) {
  for (double v = 0; v <= y.high; v += y.step) {
    absl::StrAppendFormat(svg,
                          "<path d=\"M%g %.1fH%g\" stroke=\"#ddd\"/><text x=\"%g\" y=\"%.1f\" "
                          "text-anchor=\"end\">%g</text>\n",
                          kLeft, Y(y, v), kWidth - kRight, kLeft - 8, Y(y, v) + 4, v);
  }
  for (double v = 0; v <= x.high; v += x.step) {
    absl::StrAppendFormat(svg, "<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%g</text>\n",
                          X(x, v), kHeight - kBottom + 20, v);
  }
  absl::StrAppendFormat(svg, "<text x=\"%g\" y=\"%g\" text-anchor=\"middle\">%s</text>\n",
                        (kLeft + kWidth - kRight) / 2, kHeight - 10, Escaped(x_label));
}

bool Finite(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second);
}

}  // namespace

std::string LinePlot(const std::string& title, const std::string& x_label,
                     const std::vector<PlotLine>& lines) {
  double last = 0, highest = 0;
  for (const PlotLine& line : lines) {
    for (const auto& point : line.points) {
      if (!Finite(point)) continue;
      last = std::max(last, point.first);
      highest = std::max(highest, point.second);
    }
  }
  const Axis x(0, last, 8), y(0, highest * 1.05, 6);
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" font-family=\"sans-serif\" "
      "font-size=\"13\" fill=\"#333\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
      kWidth, kHeight);
  absl::StrAppendFormat(&svg, "<text x=\"%g\" y=\"26\" font-size=\"16\">%s</text>\n", kLeft, Escaped(title));
  AppendAxes(x, y, x_label, &svg);
  for (size_t i = 0; i < lines.size(); ++i) {
    const char* const colour = kColours[i % std::size(kColours)];
    absl::StrAppendFormat(&svg, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (const auto& point : lines[i].points) {
      if (Finite(point)) absl::StrAppendFormat(&svg, "%.1f,%.1f ", X(x, point.first), Y(y, point.second));
    }
    absl::StrAppend(&svg, "\"/>\n");
    if (lines.size() == 1) continue;
    absl::StrAppendFormat(&svg, "<text x=\"%g\" y=\"%g\" text-anchor=\"end\" fill=\"%s\">%s</text>\n",
                          kWidth - kRight, kTop + 16 + 18 * static_cast<double>(i), colour,
                          Escaped(lines[i].name));
  }
  absl::StrAppend(&svg, "</svg>\n");
  return svg;
}

}  // namespace syncline
