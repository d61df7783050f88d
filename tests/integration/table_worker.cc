#include "tests/integration/table_worker.h"

#include <utility>

#include "common/status/status_macros.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "worker/client/await.h"

namespace syncline {

RowKeys ScatteredKeys(size_t count, uint64_t apart) {
  RowKeys keys;
  for (uint64_t i = 0; i < count; ++i) keys.push_back(i * apart);
  return keys;
}

TableWorker::TableWorker(const InProcessCluster& cluster) : job_(cluster.job()) {
  ClientOptions options;
  options.coordinator = cluster.coordinator();
  client_ = *Client::Connect(options);
  TensorSpec weight;
  weight.set_name("weight");
  weight.add_shape(1);
  SYNCLINE_EXPECT_OK(client_->CreateTensors({weight}));
  constexpr uint64_t kSamples = 1000;
  const auto lease = client_->Lease(kSamples, 0, 0);
  SYNCLINE_EXPECT_OK(lease.status());
  if (lease.ok() && lease->steps_size() > 0) clock_ = lease->steps(0).clock();
}

size_t TableWorker::Floats(size_t table, const RowKeys& keys) const {
  // The client refuses a table that there is not.
  const bool known = table < static_cast<size_t>(job_.tables_size());
  return keys.size() * (known ? job_.tables(static_cast<int>(table)).dim() : 1);
}

absl::StatusOr<Rows> TableWorker::Pull(Clock clock, size_t table, const RowKeys& keys) {
  Rows rows(Floats(table, keys), -99);
  SYNCLINE_RETURN_IF_ERROR(Await<absl::StatusOr<Client::PullOutcome>>([&](auto done) {
                             client_->PullRows(clock, {{table, keys, rows.data()}}, done);
                           }).status());
  return rows;
}

absl::Status TableWorker::Push(Clock clock, size_t table, const RowKeys& keys, const Rows& gradients) {
  static const float zero = 0;
  SYNCLINE_RETURN_IF_ERROR(Await<absl::Status>([&](auto done) { client_->Push(clock, {{0, &zero}}, done); }));
  return Await<absl::Status>([&](auto done) { client_->PushRows(clock, {{table, keys, gradients.data()}}, done); });
}

absl::Status TableWorker::Push(Clock clock, size_t table, const RowKeys& keys, float value) {
  return Push(clock, table, keys, Rows(Floats(table, keys), value));
}

absl::Status TableWorker::Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors) {
  return Await<absl::StatusOr<bool>>([&](auto done) { client_->Commit(clock, samples, contributors, done); }).status();
}

Rows TableWorker::Observe(size_t table, const RowKeys& keys) {
  Rows rows(Floats(table, keys), -99);
  SYNCLINE_EXPECT_OK(
      Await<absl::Status>([&](auto done) { client_->ObserveRows({{table, keys, rows.data()}}, done); }));
  return rows;
}

void TableWorker::Step(size_t table, const RowKeys& keys, const Rows& gradients) {
  SYNCLINE_EXPECT_OK(Push(clock_, table, keys, gradients));
  SYNCLINE_EXPECT_OK(Commit(clock_, 1, {client_->rank()}));
  ++clock_;
}

void TableWorker::Step(size_t table, const RowKeys& keys, float value) {
  Step(table, keys, Rows(Floats(table, keys), value));
}

Rows TableWorker::Pull(size_t table, const RowKeys& keys) {
  const auto rows = Pull(clock_, table, keys);
  SYNCLINE_EXPECT_OK(rows.status());
  return rows.ok() ? *rows : Rows();
}

}  // namespace syncline
