// Every optimizer, clip and schedule through a whole shard, against figures of other
// implementations: tests/golden/optimizers/generate.py.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "common/cluster/shard_map.h"
#include "common/status/status_matchers.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/shard/shard.h"

namespace syncline {
namespace {

constexpr size_t kSizes[] = {8, 1100};
constexpr float kStart = 0.5f;

struct GoldenCase {
  std::string name;
  Optimizer optimizer;
  std::vector<std::pair<int, std::vector<double>>> states;
};

std::vector<GoldenCase> ReadGolden() {
  std::ifstream file("tests/golden/optimizers/golden.txt");
  std::vector<GoldenCase> cases;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "case") {
      words >> cases.emplace_back().name;
    } else if (word == "optimizer") {
      EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(line.substr(word.size() + 1),
                                                                &cases.back().optimizer));
    } else if (word == "step") {
      auto& [step, values] = cases.back().states.emplace_back();
      words >> step;
      for (double value; words >> value;) values.push_back(value);
    }
  }
  return cases;
}

// As gradients() in generate.py: tensor a's, then tensor b's.
std::vector<float> Gradients(uint32_t step) {
  uint32_t state = 1000003u * (step + 1);
  std::vector<float> values(kSizes[0] + kSizes[1]);
  for (float& value : values) {
    state = 1664525u * state + 1013904223u;
    value = static_cast<float>((static_cast<int>((state >> 8) % 2001) - 1000) / 1000.0);
  }
  return values;
}

// Tensor b has two chunks; on two shards, the norm of a gradient crosses them.
class Cluster {
 public:
  Cluster(const Optimizer& optimizer, int shards) {
    std::vector<TensorSpec> tensors(2);
    for (int i = 0; i < 2; ++i) {
      tensors[i].set_name(i == 0 ? "a" : "b");
      tensors[i].add_shape(kSizes[i]);
      tensors[i].mutable_initializer()->set_kind(Initializer::CONSTANT);
      tensors[i].mutable_initializer()->set_a(kStart);
    }
    std::vector<std::string> addresses;
    for (int i = 0; i < shards; ++i) addresses.push_back("h:" + std::to_string(i + 1));
    map_ = *MakeShardMap(tensors, addresses, 4096, optimizer.kind() == LAMB);
    for (int i = 0; i < shards; ++i) {
      ShardOptions options;
      options.job.set_sync_mode(SYNC);
      *options.job.mutable_optimizer() = optimizer;
      options.map = map_;
      options.shard = i;
      shards_.push_back(*Shard::Create(options));
      UpdateMemberRequest admit;
      admit.set_incarnation(1);
      SYNCLINE_EXPECT_OK(shards_.back()->UpdateMember(admit));
    }
    sender_.set_incarnation(1);
    sender_.set_map_epoch(1);
  }

  void Step(uint32_t step) {
    const std::vector<float> gradient = Gradients(step);
    for (const ChunkInfo& chunk : Chunks(map_)) {
      const size_t begin = (chunk.tensor == 0 ? 0 : kSizes[0]) + chunk.begin;
      const Fragments data =
          Fragments::Of(gradient.data() + begin, chunk.elements * sizeof(float));
      SYNCLINE_EXPECT_OK(shards_[map_.owner(chunk.id)]->Push(sender_, step, {{chunk.id, 0, data}}));
    }
    for (const auto& shard : shards_) SYNCLINE_EXPECT_OK(shard->Commit(sender_, step, 1, {0}));
    // With clip_norm each waits for the norms of the others.
    for (size_t i = 0; i < shards_.size(); ++i) {
      const auto norms = shards_[i]->StepNorms(step);
      for (size_t k = 0; norms.ok() && k < shards_.size(); ++k) {
        if (k == i) continue;
        SYNCLINE_EXPECT_OK(shards_[k]->SetPeerNorms(step, *norms).status());
      }
    }
  }

  std::vector<float> Weights() {
    std::vector<float> weights(kSizes[0] + kSizes[1]);
    const std::vector<ChunkInfo> chunks = Chunks(map_);
    for (const auto& shard : shards_) {
      shard->Pull({}, {0, {}, true, {}}, [&](const auto& result) {
        for (const PulledChunk& pulled : result->chunks) {
          const ChunkInfo& chunk = chunks[pulled.chunk];
          char* to = reinterpret_cast<char*>(weights.data() +
                                             (chunk.tensor == 0 ? 0 : kSizes[0]) + chunk.begin);
          for (const auto& piece : pulled.data.pieces()) {
            std::memcpy(to, piece.data, piece.size);
            to += piece.size;
          }
        }
      });
    }
    return weights;
  }

 private:
  ShardMap map_;
  std::vector<std::unique_ptr<Shard>> shards_;
  Sender sender_;
};

class GoldenTest : public testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenTest, AgreesWithAnotherImplementation) {
  Cluster one(GetParam().optimizer, 1), two(GetParam().optimizer, 2);
  uint32_t step = 0;
  for (const auto& [until, expected] : GetParam().states) {
    for (; step < static_cast<uint32_t>(until); ++step) {
      one.Step(step);
      two.Step(step);
    }
    const std::vector<float> weights = one.Weights();
    EXPECT_EQ(weights, two.Weights()) << "the number of shards changes a bit";
    std::vector<float> shown(weights.begin(), weights.begin() + 12);
    shown.insert(shown.end(), weights.end() - 4, weights.end());
    ASSERT_EQ(shown.size(), expected.size());
    // 1e-6 of the weight; of the weights' size where one happens to be near 0.
    double size = 0;
    for (const double value : expected) size += value * value;
    size = std::sqrt(size / static_cast<double>(expected.size()));
    for (size_t i = 0; i < shown.size(); ++i) {
      EXPECT_NEAR(shown[i], expected[i], 1e-6 * std::max(std::abs(expected[i]), size))
          << "element " << i << " after step " << until;
    }
  }
  EXPECT_EQ(step, 60u);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, GoldenTest, testing::ValuesIn(ReadGolden()),
                         [](const auto& info) { return info.param.name; });

TEST(GoldenFileTest, CoversEveryOptimizer) {
  const std::vector<GoldenCase> cases = ReadGolden();
  for (int kind = SGD; kind <= FTRL; ++kind) {
    EXPECT_TRUE(std::any_of(cases.begin(), cases.end(),
                            [kind](const GoldenCase& c) { return c.optimizer.kind() == kind; }))
        << OptimizerKind_Name(kind);
  }
}

}  // namespace
}  // namespace syncline
