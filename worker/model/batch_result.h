#ifndef SYNCLINE_WORKER_MODEL_BATCH_RESULT_H_
#define SYNCLINE_WORKER_MODEL_BATCH_RESULT_H_

namespace syncline {

// What samples came to, summed over rows.
struct BatchResult {
  double loss_sum = 0;
  double correct = 0;  // rows classified correctly, of several positions a part; 0 with mean squared error

  BatchResult& operator+=(const BatchResult& other) {
    loss_sum += other.loss_sum;
    correct += other.correct;
    return *this;
  }
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_BATCH_RESULT_H_
