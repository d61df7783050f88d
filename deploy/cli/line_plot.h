#ifndef SYNCLINE_DEPLOY_CLI_LINE_PLOT_H_
#define SYNCLINE_DEPLOY_CLI_LINE_PLOT_H_

#include <string>
#include <utility>
#include <vector>

namespace syncline {

// A line of points (x, y), in the order of x. Points that are not finite are left out.
struct PlotLine {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

// Lines as an SVG picture: a title, axes from 0, and whose line is whose if there are several. Pure.
std::string LinePlot(const std::string& title, const std::string& x_label,
                     const std::vector<PlotLine>& lines);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_LINE_PLOT_H_
