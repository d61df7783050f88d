#include "worker/train/parameters.h"

namespace syncline {
namespace {

Initializer::Kind KindOf(InitializerKind kind) {
  switch (kind) {
    case InitializerKind::kConstant:
      return Initializer::CONSTANT;
    case InitializerKind::kUniform:
      return Initializer::UNIFORM;
    case InitializerKind::kNormal:
      return Initializer::NORMAL;
    default:
      return Initializer::ZEROS;
  }
}

}  // namespace

std::vector<TensorSpec> TensorSpecs(const std::vector<ParameterSpec>& parameters) {
  std::vector<TensorSpec> tensors;
  for (const ParameterSpec& parameter : parameters) {
    TensorSpec& tensor = tensors.emplace_back();
    tensor.set_name(parameter.name);
    for (const int64_t size : parameter.shape) tensor.add_shape(static_cast<uint64_t>(size));
    tensor.mutable_initializer()->set_kind(KindOf(parameter.initial.kind));
    tensor.mutable_initializer()->set_a(static_cast<float>(parameter.initial.a));
    tensor.mutable_initializer()->set_b(static_cast<float>(parameter.initial.b));
  }
  return tensors;
}

std::vector<int64_t> Sizes(const std::vector<ParameterSpec>& parameters) {
  std::vector<int64_t> sizes;
  for (const ParameterSpec& parameter : parameters) sizes.push_back(parameter.size());
  return sizes;
}

}  // namespace syncline
