// Writes samples in the shape of Criteo's click logs to standard output, and says on standard error what is known of
// them:
//
//   bazel run -c opt //tests/bench:criteo_like -- --samples=1000000 | zstd > train.tsv.zst
//   bazel run -c opt //tests/bench:criteo_like -- --samples=100000 --stream=2 | zstd > test.tsv.zst

#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "tests/bench/criteo_like.h"
#include "worker/model/held_out.h"

ABSL_FLAG(uint64_t, samples, 100000, "How many.");
ABSL_FLAG(uint64_t, seed, 1, "Decides what keys and numbers mean.");
ABSL_FLAG(uint64_t, stream, 1, "Decides which samples are drawn: another one for held-out samples of the same seed.");
ABSL_FLAG(uint64_t, keys, 1000000, "Keys of the largest categories, at least 3.");
ABSL_FLAG(double, zipf, 1.05, "Exponent of how often keys come, above 0.");
ABSL_FLAG(double, missing, 0.05, "Share of numbers and categories that are left out, in [0, 1].");
ABSL_FLAG(double, signal, 1, "How much the label depends on them; 0: not at all.");

namespace syncline {
namespace {

int Write() {
  const CriteoLikeOptions options = {absl::GetFlag(FLAGS_seed), absl::GetFlag(FLAGS_keys), absl::GetFlag(FLAGS_zipf),
                                     absl::GetFlag(FLAGS_missing), absl::GetFlag(FLAGS_signal)};
  if (options.keys < 3 || !(options.zipf > 0) || !(options.missing >= 0 && options.missing <= 1)) {
    std::fprintf(stderr, "--keys is at least 3, --zipf above 0, --missing in [0, 1]\n");
    return 2;
  }
  CriteoLike samples(options, absl::GetFlag(FLAGS_stream));
  BinaryScores truth;
  double ones = 0;
  std::string text;
  const uint64_t count = absl::GetFlag(FLAGS_samples);
  constexpr uint64_t kScored = 1000000;  // of the first ones
  for (uint64_t i = 0; i < count; ++i) {
    const CriteoLike::Sample sample = samples.Append(&text);
    ones += sample.label;
    if (i < kScored) truth.Add({sample.logit}, {sample.label});
    if (text.size() < 1 << 20 && i + 1 < count) continue;
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
      std::perror("criteo_like");
      return 1;
    }
    text.clear();
  }
  std::fprintf(stderr, "%llu samples, %.4f of them 1; with the true probabilities AUC %.4f, log loss %.4f\n",
               static_cast<unsigned long long>(count), ones / static_cast<double>(count), truth.Auc().value_or(0.5),
               truth.LogLoss().value_or(0));
  return 0;
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Writes samples in the shape of Criteo's click logs, with a known signal.");
  absl::ParseCommandLine(argc, argv);
  return syncline::Write();
}
