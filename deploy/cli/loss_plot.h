#ifndef SYNCLINE_DEPLOY_CLI_LOSS_PLOT_H_
#define SYNCLINE_DEPLOY_CLI_LOSS_PLOT_H_

#include <string>

#include "proto/coordinator.pb.h"

namespace syncline {

// The loss over epochs as an SVG picture, with axes and a title. Pure.
std::string LossPlot(const std::string& title,
                     const google::protobuf::RepeatedPtrField<LossPoint>& points);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_LOSS_PLOT_H_
