#ifndef SYNCLINE_WORKER_TRAIN_PARAMETERS_H_
#define SYNCLINE_WORKER_TRAIN_PARAMETERS_H_

#include <cstdint>
#include <vector>

#include "proto/parameter_server.pb.h"
#include "worker/model/parameter.h"

namespace syncline {

// The tensors of a network as the cluster knows them.
std::vector<TensorSpec> TensorSpecs(const std::vector<ParameterSpec>& parameters);

// Elements of each.
std::vector<int64_t> Sizes(const std::vector<ParameterSpec>& parameters);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_PARAMETERS_H_
