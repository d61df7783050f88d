#include "worker/model/loss.h"

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {

Loss LossOf(const Model& model) {
  if (!model.has_loss() || model.loss() == LOSS_UNSPECIFIED) return SOFTMAX_CROSS_ENTROPY;
  return model.loss();
}

absl::Status ModelLoss::CheckBatch(const Batch& batch) const {
  const bool classes = kind_ == SOFTMAX_CROSS_ENTROPY;
  if (classes ? batch.labels != nullptr : batch.targets != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a batch for ", Loss_Name(kind_), " needs ",
                                                 classes ? "labels" : "targets"));
}

absl::Status ModelLoss::Compute(const Batch& batch, const float* output, float* loss_sum,
                                float* gradient) const {
  SYNCLINE_RETURN_IF_ERROR(CheckBatch(batch));
  const int mean_rows = batch.mean_rows > 0 ? batch.mean_rows : batch.rows;
  const float scale = 1.0f / (static_cast<float>(mean_rows) * static_cast<float>(positions_));
  const int rows = batch.rows * positions_;
  switch (kind_) {
    case MEAN_SQUARED_ERROR:
      return device_->Run(&Backend::mean_squared_error, batch.rows, outputs_, output,
                          batch.targets, scale, loss_sum, gradient);
    case LOGISTIC:
      return device_->Run(&Backend::logistic_loss, batch.rows, output, batch.targets, scale,
                          loss_sum, gradient);
    default:
      return device_->Run(&Backend::softmax_cross_entropy, rows, outputs_, output,
                          batch.labels, scale, loss_sum, gradient);
  }
}

absl::Status ModelLoss::CountCorrect(const Batch& batch, const float* output,
                                     int32_t* correct) const {
  SYNCLINE_RETURN_IF_ERROR(CheckBatch(batch));
  switch (kind_) {
    case MEAN_SQUARED_ERROR:
      return absl::OkStatus();
    case LOGISTIC:
      return device_->Run(&Backend::count_correct_logistic, batch.rows, output, batch.targets,
                          correct);
    default:
      return device_->Run(&Backend::count_correct, batch.rows * positions_, outputs_, output, batch.labels,
                          correct);
  }
}

}  // namespace syncline
