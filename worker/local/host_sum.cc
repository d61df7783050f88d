#include "worker/local/host_sum.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "common/optimizer/kernels.h"
#include "common/status/status_macros.h"

namespace syncline {

HostPart HostSum::Begin(const StepLease& step) {
  parts_ = options_.team->Begin(step, options_.job.batch_size());
  total_ = step.count();
  if (spares_.size() < parts_.size()) spares_.resize(parts_.size());
  for (Spare& spare : spares_) spare.computed = false;
  order_.clear();
  added_ = 0;
  return parts_[0];
}

const float* HostSum::Gradient(size_t part, size_t parameter, bool wait) {
  if (spares_[part].computed) return spares_[part].network->gradient(parameter);
  const char* const block = options_.team->Gradients(part, parameter, wait);
  if (block == nullptr) return nullptr;
  // Both blocks have one layout.
  const char* const value = reinterpret_cast<const char*>(options_.network->value(parameter));
  return reinterpret_cast<const float*>(block + (value - options_.values->data()));
}

bool HostSum::Gather(size_t parameter) {
  others_.clear();
  for (size_t part = 1; part < parts_.size(); ++part) {
    const float* const gradient = Gradient(part, parameter, false);
    if (gradient == nullptr) return false;
    others_.push_back(gradient);
  }
  return true;
}

void HostSum::AddUp(size_t parameter) {
  if (parts_.size() == 1) return;
  const auto share = [this](size_t part) {
    return static_cast<float>(static_cast<double>(parts_[part].count) /
                              static_cast<double>(total_));
  };
  float* const sum = options_.network->gradient(parameter);
  const auto size = static_cast<size_t>(options_.network->parameters()[parameter].size());
  ScaleInto(share(0), sum, sum, size);
  for (size_t part = 1; part < parts_.size(); ++part) {
    AddScaled(share(part), others_[part - 1], sum, size);
  }
}

void HostSum::Made(size_t parameter, const Complete& complete) {
  order_.push_back(parameter);
  for (; added_ < order_.size() && Gather(order_[added_]); ++added_) {
    AddUp(order_[added_]);
    complete(order_[added_]);
  }
}

absl::StatusOr<BatchResult> HostSum::Finish(const Compute& compute, const Complete& complete) {
  for (; added_ < order_.size(); ++added_) {
    const size_t parameter = order_[added_];
    // Again if one that was there is lost while another is waited for.
    while (!Gather(parameter)) {
      for (size_t part = 1; part < parts_.size(); ++part) {
        if (Gradient(part, parameter, true) != nullptr) continue;
        SYNCLINE_RETURN_IF_ERROR(ComputeHere(part, compute));
      }
    }
    AddUp(parameter);
    complete(parameter);
  }
  BatchResult result;
  for (size_t part = 1; part < parts_.size(); ++part) {
    std::optional<BatchResult> there;
    if (!spares_[part].computed) there = options_.team->Result(part);
    if (!there && !spares_[part].computed) SYNCLINE_RETURN_IF_ERROR(ComputeHere(part, compute));
    result += there ? *there : spares_[part].result;
  }
  return result;
}

absl::Status HostSum::ComputeHere(size_t part, const Compute& compute) {
  Spare& spare = spares_[part];
  Network& own = *options_.network;
  if (spare.network == nullptr) {
    // On a CPU it reads the leader's weights in place. Memory is pinned only once, so with a GPU they
    // are copied.
    bool values = options_.device->host_memory();
    const auto memory = [&](size_t) {
      return std::exchange(values, false)
                 ? std::shared_ptr<void>(options_.values, options_.values->data())
                 : nullptr;
    };
    SYNCLINE_ASSIGN_OR_RETURN(
        spare.network,
        Network::Create(options_.job.model(), options_.device,
                        static_cast<int>(options_.job.batch_size()), options_.job.seed(), memory));
  }
  if (!options_.device->host_memory()) {
    for (size_t p = 0; p < own.parameters().size(); ++p) {
      std::memcpy(spare.network->value(p), own.value(p),
                  sizeof(float) * static_cast<size_t>(own.parameters()[p].size()));
    }
    SYNCLINE_RETURN_IF_ERROR(spare.network->UploadValues());
  }
  SYNCLINE_ASSIGN_OR_RETURN(spare.result, compute(spare.network.get(), parts_[part]));
  spare.computed = true;
  return absl::OkStatus();
}

}  // namespace syncline
