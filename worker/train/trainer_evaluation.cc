// How good the weights are, on held-out samples and along the way.

#include <algorithm>
#include <optional>
#include <vector>

#include "common/status/status_macros.h"
#include "worker/client/await.h"
#include "worker/train/trainer.h"

namespace syncline {
namespace {

// Of which WorkerProgress.train_auc is: an AUC of 0.75 is then right to 0.003.
constexpr size_t kAucSamples = 32768;

}  // namespace

// Of a batch that the network has just computed.
absl::Status Trainer::AddScores(const Batch& batch, BinaryScores* scores) const {
  const size_t bytes = sizeof(float) * static_cast<size_t>(batch.rows);
  std::vector<float> logits(batch.rows), labels(batch.rows);
  const Device& device = *options_.device;
  SYNCLINE_RETURN_IF_ERROR(
      device.Run(&Backend::copy, kComputeStream, logits.data(), options_.network->output(0), bytes));
  SYNCLINE_RETURN_IF_ERROR(device.Run(&Backend::copy, kComputeStream, labels.data(), batch.targets, bytes));
  SYNCLINE_RETURN_IF_ERROR(device.Run(&Backend::synchronize));
  scores->Add(logits, labels);
  return absl::OkStatus();
}

absl::Status Trainer::AddTrainingScores(const Batch& batch) {
  SYNCLINE_RETURN_IF_ERROR(AddScores(batch, &train_scores_));
  if (train_scores_.size() < kAucSamples) return absl::OkStatus();
  if (const auto auc = train_scores_.Auc()) progress_.set_train_auc(*auc);
  train_scores_ = BinaryScores();
  return absl::OkStatus();
}

absl::StatusOr<BatchResult> Trainer::Measure(uint64_t begin, const Batch& batch) {
  if (options_.team == nullptr) return options_.network->Evaluate(batch);
  auto result = options_.team->Evaluate(begin, batch, /*fresh=*/begin == 0);
  while (absl::IsAborted(result.status())) {
    result = options_.team->Evaluate(begin, batch, /*fresh=*/true);
  }
  return result;
}

absl::Status Trainer::Evaluate() {
  if (test_ == nullptr) return absl::OkStatus();
  SYNCLINE_RETURN_IF_ERROR(Await<absl::Status>([&](auto done) {
    options_.client->Observe({values_, nullptr, stepper_ == nullptr}, done);
  }));
  SYNCLINE_RETURN_IF_ERROR(options_.network->UploadValues());
  const uint32_t samples = static_cast<uint32_t>(test_->data().size());
  std::vector<uint32_t> rows;
  BatchResult all;
  // The logits of a team are on its last stage.
  const bool scored = LossOf(job_.model()) == LOGISTIC && options_.team == nullptr;
  BinaryScores scores;
  for (uint32_t begin = 0; begin < samples; begin += rows.size()) {
    rows.resize(std::min<uint32_t>(test_->max_rows(), samples - begin));
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = begin + static_cast<uint32_t>(i);
    SYNCLINE_ASSIGN_OR_RETURN(Batch batch, test_->Load(rows));
    if (rows_ != nullptr) {
      SYNCLINE_ASSIGN_OR_RETURN(batch.features,
                                rows_->Pull(std::nullopt, batch.rows, test_->keys(), batch.features));
    }
    SYNCLINE_ASSIGN_OR_RETURN(const auto result, Measure(begin, batch));
    all += result;
    if (scored) SYNCLINE_RETURN_IF_ERROR(AddScores(batch, &scores));
  }
  progress_.set_test_loss(all.loss_sum / samples);
  if (classifies_) progress_.set_test_accuracy(all.correct / samples);
  if (const auto auc = scores.Auc()) progress_.set_test_auc(*auc);
  return absl::OkStatus();
}

}  // namespace syncline
