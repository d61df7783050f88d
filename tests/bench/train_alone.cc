// Trains a job in this process alone, with its model, data, batch size and optimizer, and prints the
// samples it went through in a second: what a worker would do if it never had to talk to anybody.
//
//   train_alone MANIFEST EPOCHS

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/config/manifest.h"
#include "common/optimizer/update_rule_factory.h"
#include "tests/bench/child_process.h"
#include "tests/bench/measure.h"
#include "worker/data/dataset_factory.h"
#include "worker/data/permutation.h"
#include "worker/model/model_builder.h"
#include "worker/model/network.h"
#include "worker/model/open_device.h"
#include "worker/train/batch_loader.h"

namespace syncline {
namespace {

void Train(const JobManifest& job, uint64_t epochs) {
  OpenDeviceOptions cpu;
  cpu.device = "cpu";
  const auto device = Must(OpenDevice(cpu));
  const TrainingData data = Must(LoadTrainingData(job));
  const int batch = static_cast<int>(job.batch_size());
  const auto network = Must(Network::Create(job.model(), device.get(), batch, job.seed()));
  const auto loader =
      Must(BatchLoader::Create(device.get(), data.train, LossOf(job.model()), batch));
  const auto rule = Must(MakeUpdateRule(job.optimizer()));
  const float rate = static_cast<float>(BaseLearningRate(job.optimizer()));
  const auto& parameters = network->parameters();
  std::vector<std::vector<float>> state;
  for (const ParameterSpec& p : parameters) state.emplace_back(p.size(), rule->initial_state(0));

  const uint32_t samples = static_cast<uint32_t>(data.train->size());
  EpochOrder order(samples, job.seed(), job.data().shuffle_buffer());
  uint64_t step = 0;
  const double taken = Seconds([&] {
    for (uint64_t epoch = 0; epoch < epochs; ++epoch) {
      for (uint32_t begin = 0; begin < samples; begin += batch) {
        Must(network->Forward(Must(loader->Load(order.Samples(epoch, begin, batch)))));
        Must(network->Backward());
        ++step;
        for (size_t p = 0; p < parameters.size(); ++p) {
          UpdateArrays arrays;
          arrays.gradient = network->gradient(p);
          arrays.weights_in = arrays.weights_out = network->value(p);
          arrays.state_in[0] = arrays.state_out[0] = state[p].data();
          arrays.n = static_cast<size_t>(parameters[p].size());
          rule->Apply({step, rate}, arrays);
        }
      }
    }
  });
  std::printf("%.1f\n", static_cast<double>(epochs * samples) / taken);
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  if (argc != 3) syncline::Die("usage: train_alone MANIFEST EPOCHS");
  syncline::Train(syncline::Must(syncline::LoadManifest(argv[1], {})),
                  std::strtoull(argv[2], nullptr, 10));
}
