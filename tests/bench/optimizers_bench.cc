// Bytes a second of each optimizer's update, as a shard makes it chunk by chunk, beside a triad
// in place (a[i] += s b[i], so that no line is fetched only to be overwritten, as in the update) of the
// same weights and gradients in the same run. Arrays are 64 MiB each, in chunks of 1 MiB: far more
// than a core's own caches. One thread.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "common/optimizer/update_rule_factory.h"
#include "common/tensor/buffer.h"
#include "common/tensor/vectorise.h"
#include "proto/job.pb.h"
#include "server/store/dense_chunk.h"
#include "tests/bench/measure.h"

namespace syncline {
namespace {

constexpr size_t kChunks = 64;
constexpr size_t kElements = (1 << 20) / sizeof(float);
constexpr int kRounds = 25;

std::vector<Buffer> Array(float value) {
  std::vector<Buffer> pieces;
  for (size_t i = 0; i < kChunks; ++i) {
    pieces.push_back(Buffer::Allocate(kElements * sizeof(float)));
    std::fill_n(pieces.back().floats(), kElements, value);
  }
  return pieces;
}

void Triad(const std::vector<std::unique_ptr<DenseChunk>>& chunks, const std::vector<Buffer>& b) {
  for (size_t i = 0; i < kChunks; ++i) {
    // Where the chunk has its weights; nobody else looks at them here.
    char* const weights = const_cast<char*>(chunks[i]->weights().pieces()[0].data);
    float* const to = reinterpret_cast<float*>(weights);
    const float* from = b[i].floats();
    Vectorise([=]() SYNCLINE_INLINE {
      for (size_t k = 0; k < kElements; ++k) to[k] += 1e-3f * from[k];
    });
  }
}

struct Subject {
  const char* name;
  OptimizerKind kind;
  double at_least;  // 0: no promise
};

constexpr Subject kSubjects[] = {
    {"sgd", SGD, 0.9},         {"momentum", MOMENTUM, 0.9}, {"nesterov", NESTEROV, 0},
    {"adagrad", ADAGRAD, 0.9}, {"rmsprop", RMSPROP, 0},     {"adam", ADAM, 0.9},
    {"adamw", ADAMW, 0},       {"lamb", LAMB, 0},           {"ftrl", FTRL, 0},
};

void Measure(const Subject& subject) {
  Optimizer settings;
  settings.set_kind(subject.kind);
  const auto rule = *MakeUpdateRule(settings);
  std::vector<std::unique_ptr<DenseChunk>> chunks;
  for (size_t i = 0; i < kChunks; ++i) {
    chunks.push_back(std::make_unique<DenseChunk>(rule.get(), kElements));
  }
  const std::vector<Buffer> gradient = Array(0.01f);
  std::vector<Fragments> fragments;
  for (const Buffer& piece : gradient) fragments.push_back(piece.Share());
  UpdateSettings update;
  update.learning_rate = 1e-3;

  std::vector<double> updates, triads;
  for (int round = 0; round < kRounds; ++round) {
    updates.push_back(Seconds([&] {
      for (size_t i = 0; i < kChunks; ++i) {
        const Contribution whole{&fragments[i], 1};
        chunks[i]->Update({&whole, 1}, update);
      }
    }));
    triads.push_back(Seconds([&] { Triad(chunks, gradient); }));
  }
  // The gradient and the weights are read, the weights written; each slot of state is both.
  const double array = static_cast<double>(kChunks * kElements * sizeof(float));
  const double streams = 3 + 2 * rule->state_slots();
  const double value = streams * array / Median(updates) / 1e9;
  const double reference = 3 * array / Median(triads) / 1e9;
  std::printf("{\"group\": \"optimizers\", \"name\": \"%s\", \"value\": %.2f, \"unit\": \"GB/s\", "
              "\"reference\": %.2f, \"ratio\": %.3f, \"at_least\": ",
              subject.name, value, reference, value / reference);
  if (subject.at_least > 0) {
    std::printf("%.2f}\n", subject.at_least);
  } else {
    std::printf("null}\n");
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace syncline

int main() {
  for (const syncline::Subject& subject : syncline::kSubjects) syncline::Measure(subject);
  return 0;
}
