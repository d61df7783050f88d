// Trains a job with tables in this process alone, its rows in a hash map, and prints what it reaches on the held-out
// set and the samples it went through in a second: what a cluster of one worker and no distance should come to.
//
//   sparse_alone MANIFEST [FIELD=VALUE...]
//
// Rows know no admission and no eviction here, adam is lazy, and their storage is float32.

#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/config/manifest.h"
#include "common/hash/xxh64.h"
#include "common/optimizer/update_rule_factory.h"
#include "tests/bench/child_process.h"
#include "tests/bench/measure.h"
#include "worker/data/dataset_factory.h"
#include "worker/data/permutation.h"
#include "worker/data/random.h"
#include "worker/model/held_out.h"
#include "worker/model/network.h"
#include "worker/model/open_device.h"
#include "worker/model/sparse_input.h"
#include "worker/train/batch_loader.h"

namespace syncline {
namespace {

float Draw(SplitMix64* random, InitializerKind kind, double a, double b) {
  if (kind == InitializerKind::kZeros) return 0;
  if (kind == InitializerKind::kConstant) return static_cast<float>(a);
  if (kind == InitializerKind::kUniform) return static_cast<float>(a + (b - a) * random->Uniform());
  const double u = random->Uniform() + 0x1p-25;
  return static_cast<float>(a + b * std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * random->Uniform()));
}

Optimizer RuleOf(const RowOptimizer& row) {
  Optimizer rule;
  rule.set_kind(row.kind() == ROW_OPTIMIZER_SGD    ? SGD
                : row.kind() == ROW_OPTIMIZER_ADAM ? ADAM
                : row.kind() == ROW_OPTIMIZER_FTRL ? FTRL
                                                   : ADAGRAD);
  rule.set_learning_rate(row.learning_rate());
  rule.set_epsilon(row.epsilon());
  rule.set_beta1(row.beta1());
  rule.set_beta2(row.beta2());
  rule.set_initial_accumulator(row.initial_accumulator());
  rule.set_ftrl_l1(row.ftrl_l1());
  rule.set_ftrl_l2(row.ftrl_l2());
  rule.set_ftrl_beta(row.ftrl_beta());
  rule.set_weight_decay(row.weight_decay());
  return rule;
}

// The rows of one table: each its floats, then its optimizer's state.
class Rows {
 public:
  Rows(const Table& table, uint64_t seed)
      : table_(table), seed_(Xxh64(table.name(), seed)), rule_(Must(MakeUpdateRule(RuleOf(table.optimizer())))) {}

  void Pull(absl::Span<const uint64_t> keys, float* to) {
    for (const uint64_t key : keys) to = std::copy_n(Find(key).floats.data(), table_.dim(), to);
  }

  void Push(absl::Span<const uint64_t> keys, const float* gradient) {
    for (const uint64_t key : keys) {
      Apply(gradient, &Find(key));
      gradient += table_.dim();
    }
  }

  size_t size() const { return rows_.size(); }

 private:
  struct Row {
    uint64_t pushes = 0;
    std::vector<float> floats;
  };

  Row& Find(uint64_t key) {
    Row& row = rows_[key];
    if (!row.floats.empty()) return row;
    const RowInitializer& initial = table_.initializer();
    const InitializerKind kind = initial.kind() == ROW_INITIALIZER_ZEROS     ? InitializerKind::kZeros
                                 : initial.kind() == ROW_INITIALIZER_UNIFORM ? InitializerKind::kUniform
                                                                             : InitializerKind::kNormal;
    SplitMix64 random = RandomStream(seed_, key);
    for (uint32_t c = 0; c < table_.dim(); ++c) row.floats.push_back(Draw(&random, kind, initial.a(), initial.b()));
    for (int slot = 0; slot < rule_->state_slots(); ++slot) {
      row.floats.insert(row.floats.end(), table_.dim(), rule_->initial_state(slot));
    }
    return row;
  }

  void Apply(const float* gradient, Row* row) {
    const size_t dim = table_.dim();
    const RowOptimizer& optimizer = table_.optimizer();
    float* const weights = row->floats.data();
    const float rate = static_cast<float>(optimizer.learning_rate());
    if (optimizer.kind() == ROW_OPTIMIZER_ROWWISE_ADAGRAD) {
      double squares = 0;
      for (size_t c = 0; c < dim; ++c) squares += double{gradient[c]} * gradient[c];
      float& sum = weights[dim];
      sum += static_cast<float>(squares / static_cast<double>(dim));
      const float step = rate / (std::sqrt(sum) + static_cast<float>(optimizer.epsilon()));
      for (size_t c = 0; c < dim; ++c) weights[c] -= step * gradient[c];
      return;
    }
    UpdateArrays arrays;
    arrays.gradient = gradient;
    arrays.weights_in = arrays.weights_out = weights;
    for (int slot = 0; slot < rule_->state_slots(); ++slot) {
      arrays.state_in[slot] = arrays.state_out[slot] = weights + (slot + 1) * dim;
    }
    arrays.n = dim;
    rule_->Apply({++row->pushes, rate}, arrays);
  }

  const Table& table_;
  const uint64_t seed_;
  const std::unique_ptr<const UpdateRule> rule_;
  std::unordered_map<uint64_t, Row> rows_;
};

// A job's model, its rows and what it computes with.
class Job {
 public:
  explicit Job(const JobManifest& job) : job_(job) {
    OpenDeviceOptions cpu;
    cpu.device = "cpu";
    cpu.threads = static_cast<int>(job.worker_threads());
    device_ = Must(OpenDevice(cpu));
    const int batch = static_cast<int>(job.batch_size());
    network_ = Must(Network::Create(job.model(), device_.get(), batch, job.seed()));
    input_ = Must(SparseInput::Create(job, device_.get(), batch));
    rule_ = Must(MakeUpdateRule(job.optimizer()));
    for (const Table& table : job.tables()) tables_.push_back(std::make_unique<Rows>(table, job.seed()));
    for (size_t p = 0; p < network_->parameters().size(); ++p) {
      const ParameterSpec& spec = network_->parameters()[p];
      SplitMix64 random = RandomStream(job.seed(), p);
      for (int64_t i = 0; i < spec.size(); ++i) {
        network_->value(p)[i] = Draw(&random, spec.initial.kind, spec.initial.a, spec.initial.b);
      }
      state_.emplace_back();
      for (int slot = 0; slot < rule_->state_slots(); ++slot) {
        state_.back().emplace_back(static_cast<size_t>(spec.size()), rule_->initial_state(slot));
      }
    }
  }

  std::unique_ptr<BatchLoader> Loader(std::shared_ptr<const Dataset> data) {
    return Must(BatchLoader::Create(device_.get(), std::move(data), LossOf(job_.model()),
                                    static_cast<int>(job_.batch_size())));
  }

  void Step(BatchLoader* loader, absl::Span<const uint32_t> samples) {
    const Batch batch = Load(loader, samples);
    Must(network_->Forward(batch));
    Network::BackwardOptions options;
    options.input_gradient = input_->feature_gradient();
    Must(network_->Backward(nullptr, options));
    Must(input_->Backward());
    for (size_t t = 0; t < tables_.size(); ++t) tables_[t]->Push(input_->keys(t), input_->gradient(t));
    ++step_;
    for (size_t p = 0; p < state_.size(); ++p) {
      UpdateArrays arrays;
      arrays.gradient = network_->gradient(p);
      arrays.weights_in = arrays.weights_out = network_->value(p);
      for (size_t slot = 0; slot < state_[p].size(); ++slot) {
        arrays.state_in[slot] = arrays.state_out[slot] = state_[p][slot].data();
      }
      arrays.n = static_cast<size_t>(network_->parameters()[p].size());
      rule_->Apply({step_, static_cast<float>(BaseLearningRate(job_.optimizer()))}, arrays);
    }
  }

  void Evaluate(BatchLoader* loader, BinaryScores* scores, SquaredErrors* errors) {
    std::vector<uint32_t> samples;
    for (uint32_t begin = 0; begin < loader->data().size(); begin += samples.size()) {
      samples.clear();
      while (samples.size() < job_.batch_size() && begin + samples.size() < loader->data().size()) {
        samples.push_back(begin + static_cast<uint32_t>(samples.size()));
      }
      Must(network_->Evaluate(Load(loader, samples)));
      std::vector<float> targets(samples.size());
      loader->data().CopyTargets(samples, targets.data());
      scores->Add({network_->output(0), samples.size()}, targets);
      errors->Add({network_->output(0), samples.size()}, targets);
    }
  }

  size_t rows() const {
    size_t rows = 0;
    for (const auto& table : tables_) rows += table->size();
    return rows;
  }

 private:
  Batch Load(BatchLoader* loader, absl::Span<const uint32_t> samples) {
    Batch batch = Must(loader->Load(samples));
    input_->Begin(batch.rows, loader->keys());
    for (size_t t = 0; t < tables_.size(); ++t) tables_[t]->Pull(input_->keys(t), input_->rows(t));
    batch.features = Must(input_->Forward(batch.features));
    return batch;
  }

  const JobManifest& job_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<SparseInput> input_;
  std::unique_ptr<const UpdateRule> rule_;
  std::vector<std::unique_ptr<Rows>> tables_;
  std::vector<std::vector<std::vector<float>>> state_;  // by parameter and slot
  uint64_t step_ = 0;
};

void Train(const JobManifest& manifest) {
  const TrainingData data = Must(LoadTrainingData(manifest));
  if (data.test == nullptr) Die("the job holds nothing out");
  Job job(manifest);
  const auto loader = job.Loader(data.train), held_out = job.Loader(data.test);
  const uint32_t samples = static_cast<uint32_t>(data.train->size()), batch = manifest.batch_size();
  EpochOrder order(samples, manifest.seed(), manifest.data().shuffle_buffer());
  double seconds = 0;
  for (uint32_t epoch = 0; epoch < manifest.epochs(); ++epoch) {
    seconds += Seconds([&] {
      for (uint32_t begin = 0; begin < samples; begin += batch) {
        job.Step(loader.get(), order.Samples(epoch, begin, batch));
      }
    });
    BinaryScores scores;
    SquaredErrors errors;
    job.Evaluate(held_out.get(), &scores, &errors);
    std::printf("epoch %u, %zu rows: ", epoch + 1, job.rows());
    if (LossOf(manifest.model()) == LOGISTIC) {
      std::printf("AUC %.4f, log loss %.4f", scores.Auc().value_or(NAN), scores.LogLoss().value_or(NAN));
    } else {
      std::printf("RMSE %.4f", errors.Rmse().value_or(NAN));
    }
    std::printf("; %.0f samples/s\n", (epoch + 1.0) * samples / seconds);
  }
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  if (argc < 2) syncline::Die("usage: sparse_alone MANIFEST [FIELD=VALUE...]");
  std::vector<syncline::FieldOverride> overrides;
  for (int i = 2; i < argc; ++i) {
    const std::string text = argv[i];
    const size_t equals = text.find('=');
    if (equals == std::string::npos) syncline::Die("not FIELD=VALUE");
    overrides.push_back({text.substr(0, equals), text.substr(equals + 1), text});
  }
  syncline::Train(syncline::Must(syncline::LoadManifest(argv[1], overrides)));
}
