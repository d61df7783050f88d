#ifndef SYNCLINE_WORKER_DATA_LABEL_RULE_H_
#define SYNCLINE_WORKER_DATA_LABEL_RULE_H_

#include <cstdint>
#include <string>

#include "proto/job.pb.h"

namespace syncline {

// Which labels a model can learn from.
struct LabelRule {
  Loss loss = SOFTMAX_CROSS_ENTROPY;
  uint32_t outputs = 1;

  // Whether the label is accepted; may change it: logistic takes libsvm's -1 for 0.
  bool Accept(float* label) const;
  // "a class: a whole number in [0, 10), one for each of the model's outputs".
  std::string Accepted() const;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_LABEL_RULE_H_
