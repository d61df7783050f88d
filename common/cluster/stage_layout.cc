#include "common/cluster/stage_layout.h"

#include <algorithm>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace syncline {
namespace {

bool ParseRun(absl::string_view text, LayerRange* run) {
  const std::vector<absl::string_view> ends = absl::StrSplit(text, absl::MaxSplits('-', 1));
  int last;
  if (!absl::SimpleAtoi(ends.front(), &run->begin) || !absl::SimpleAtoi(ends.back(), &last)) return false;
  run->end = last + 1;
  return run->begin >= 0 && run->begin <= last;
}

}  // namespace

absl::StatusOr<std::vector<LayerRange>> ParseStageLayers(absl::string_view text, int stages,
                                                          int layers) {
  std::vector<LayerRange> runs;
  int next = 0;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    LayerRange run;
    if (!ParseRun(part, &run) || run.begin != next) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", text, "\" is not a list of runs of layers that follow each other from 0, as in "
                       "\"0-3, 4-7\""));
    }
    next = run.end;
    runs.push_back(run);
  }
  if (next == layers && static_cast<int>(runs.size()) == stages) return runs;
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" places layers 0 to ", next - 1, " on ",
                                                 runs.size(), " stages: the model has layers 0 to ",
                                                 layers - 1, ", and there are ", stages, " stages"));
}

std::string StageLayersText(absl::Span<const LayerRange> stages) {
  return absl::StrJoin(stages, ", ", [](std::string* out, const LayerRange& run) {
    if (run.begin + 1 == run.end) return absl::StrAppend(out, run.begin);
    absl::StrAppend(out, run.begin, "-", run.end - 1);
  });
}

absl::StatusOr<std::vector<LayerRange>> BalanceStages(absl::Span<const double> costs,
                                                       const std::vector<bool>& needed, int stages) {
  const int layers = static_cast<int>(costs.size());
  const auto learning = std::count(needed.begin(), needed.end(), true);
  if (learning < stages) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the model has ", learning, " layers with weights, too few for ", stages, " stages"));
  }
  // best[s][n]: the first n layers on s stages, by the cost of the costliest.
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> best(stages + 1, std::vector<double>(layers + 1, kNever));
  std::vector<std::vector<int>> cut(stages + 1, std::vector<int>(layers + 1, 0));
  best[0][0] = 0;
  for (int s = 1; s <= stages; ++s) {
    for (int end = 1; end <= layers; ++end) {
      double cost = 0;
      bool has = false;
      for (int begin = end - 1; begin >= 0; --begin) {
        cost += costs[begin];
        has = has || needed[begin];
        const double costliest = std::max(best[s - 1][begin], cost);
        if (!has || costliest > best[s][end] || costliest == kNever) continue;
        best[s][end] = costliest;
        cut[s][end] = begin;
      }
    }
  }
  std::vector<LayerRange> runs(stages);
  for (int s = stages, end = layers; s > 0; --s) {
    runs[s - 1] = {cut[s][end], end};
    end = cut[s][end];
  }
  return runs;
}

}  // namespace syncline
