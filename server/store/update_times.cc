#include "server/store/update_times.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/tensor/buffer.h"

namespace syncline {

void UpdateTimes::Note(uint64_t version, double now) {
  constexpr double kMarks = 32;
  if (!marks_.empty() && version <= marks_.back().version) return;
  // The latest update stays, unless this one comes soon enough after the one before it to stand for both.
  const size_t count = marks_.size();
  if (count > 1 && now - marks_[count - 2].time < max_age_ / kMarks) marks_.pop_back();
  marks_.push_back({now, version});
}

uint64_t UpdateTimes::Expired(double now) {
  const auto is_old = [&](const Mark& mark) { return now - mark.time >= max_age_; };
  while (marks_.size() > 1 && is_old(marks_[1])) marks_.pop_front();
  return !marks_.empty() && is_old(marks_[0]) ? marks_[0].version : 0;
}

Fragments UpdateTimes::State(double now) const {
  Buffer state = Buffer::Allocate(marks_.size() * sizeof(Mark));
  char* to = state.data();
  for (Mark mark : marks_) {
    mark.time = now - mark.time;
    std::memcpy(to, &mark, sizeof(mark));
    to += sizeof(mark);
  }
  return marks_.empty() ? Fragments() : state.Share();
}

absl::Status UpdateTimes::Restore(const Fragments& state, double now) {
  if (state.size() % sizeof(Mark) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("the ages of a slot's updates take ", state.size(),
                                                   " bytes: they must be a multiple of ", sizeof(Mark)));
  }
  std::deque<Mark> marks;
  FloatReader reader(state);
  for (size_t left = state.size() / sizeof(Mark); left > 0; --left) {
    Mark mark;
    reader.Copy(sizeof(mark), reinterpret_cast<char*>(&mark));
    const bool fits = mark.time >= 0 && (marks.empty() || mark.version > marks.back().version);
    if (!fits) return absl::InvalidArgumentError("the ages of a slot's updates are not in order: they are damaged");
    marks.push_back({now - mark.time, mark.version});
  }
  marks_ = std::move(marks);
  return absl::OkStatus();
}

}  // namespace syncline
