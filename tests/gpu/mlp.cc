#include "tests/gpu/mlp.h"

#include <cstdio>
#include <cstdlib>

namespace syncline {

Mlp::Mlp(const Backend& backend, const BackendOptions& options, std::vector<int> widths, int rows)
    : table_(backend), rows_(rows) {
  Check(table_.open_device(&options, &device_));
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    parameter_count_ += static_cast<size_t>(widths[i] + 1) * widths[i + 1];
  }
  parameters_ = Floats(parameter_count_);
  gradients_ = Floats(parameter_count_);
  features_ = Floats(static_cast<size_t>(rows) * widths[0]);
  labels_ = reinterpret_cast<int32_t*>(Floats(rows));
  loss_sum_ = Floats(1);
  size_t at = 0;
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    const size_t in = widths[i], out = widths[i + 1], bias = at + in * out;
    layers_.push_back({widths[i], widths[i + 1], at, parameters_ + at, parameters_ + bias,
                       gradients_ + at, gradients_ + bias, Floats(rows * out), Floats(rows * out)});
    at = bias + out;
  }
}

Mlp::~Mlp() {
  for (void* memory : memory_) table_.release(device_, memory);
  if (host_parameters_ != nullptr) {
    for (float* memory : {host_parameters_, host_gradients_}) table_.release_host(device_, memory);
    for (BackendEvent* event : {uploaded_, made_, downloaded_}) {
      table_.destroy_event(device_, event);
    }
  }
  table_.close_device(device_);
}

float* Mlp::Floats(size_t count) {
  void* memory = nullptr;
  Check(table_.allocate(device_, count * sizeof(float), &memory));
  memory_.push_back(memory);
  return static_cast<float*>(memory);
}

void Mlp::Check(int code) const {
  if (code == kBackendOk) return;
  std::fprintf(stderr, "%s backend: %s\n", table_.name, table_.last_error());
  std::exit(1);
}

void Mlp::Copy(void* to, const void* from, size_t bytes) {
  Check(table_.copy(device_, kComputeStream, to, from, bytes));
  Synchronize();
}

void Mlp::SetParameters(const std::vector<float>& values) {
  Copy(parameters_, values.data(), parameter_count_ * sizeof(float));
}

std::vector<float> Mlp::Gradients() {
  std::vector<float> values(parameter_count_);
  Copy(values.data(), gradients_, parameter_count_ * sizeof(float));
  return values;
}

void Mlp::SetBatch(const std::vector<float>& features, const std::vector<int32_t>& labels) {
  Copy(features_, features.data(), features.size() * sizeof(float));
  Copy(labels_, labels.data(), labels.size() * sizeof(int32_t));
}

void Mlp::Synchronize() { Check(table_.synchronize(device_)); }

float Mlp::LossSum() {
  float loss = 0.0f;
  Copy(&loss, loss_sum_, sizeof(loss));
  return loss;
}

void Mlp::PrepareCopies() {
  if (host_parameters_ != nullptr) return;
  void* memory = nullptr;
  Check(table_.allocate_host(device_, parameter_count_ * sizeof(float), &memory));
  host_parameters_ = static_cast<float*>(memory);
  Check(table_.allocate_host(device_, parameter_count_ * sizeof(float), &memory));
  host_gradients_ = static_cast<float*>(memory);
  Copy(host_parameters_, parameters_, parameter_count_ * sizeof(float));
  for (BackendEvent** event : {&uploaded_, &made_, &downloaded_}) {
    Check(table_.create_event(device_, event));
  }
}

void Mlp::Upload(const Layer& layer) {
  const size_t bytes = sizeof(float) * (static_cast<size_t>(layer.in) + 1) * layer.out;
  Check(table_.copy(device_, kUploadStream, layer.weight, host_parameters_ + layer.at, bytes));
  Check(table_.record_event(device_, uploaded_, kUploadStream));
  Check(table_.stream_wait_event(device_, kComputeStream, uploaded_));
}

void Mlp::Download(const Layer& layer) {
  const size_t bytes = sizeof(float) * (static_cast<size_t>(layer.in) + 1) * layer.out;
  Check(table_.record_event(device_, made_, kComputeStream));
  Check(table_.stream_wait_event(device_, kDownloadStream, made_));
  Check(table_.copy(device_, kDownloadStream, host_gradients_ + layer.at, layer.weight_gradient,
                    bytes));
}

void Mlp::EndOfDownloads() {
  Check(table_.record_event(device_, downloaded_, kDownloadStream));
  Check(table_.stream_wait_event(device_, kUploadStream, downloaded_));
}

void Mlp::StepWithCopies() {
  PrepareCopies();
  Submit(/*copies=*/true);
}

void Mlp::CopiesOfAStep() {
  PrepareCopies();
  for (const Layer& layer : layers_) Upload(layer);
  for (size_t i = layers_.size(); i-- > 0;) Download(layers_[i]);
  EndOfDownloads();
}

void Mlp::Submit(bool copies) {
  Forward(copies);
  const Layer& last = layers_.back();
  Check(table_.softmax_cross_entropy(device_, rows_, last.out, last.output, labels_, 1.0f / rows_,
                                     loss_sum_, last.slope));
  Backward(copies);
  if (copies) EndOfDownloads();
}

void Mlp::Forward(bool copies) {
  const float* x = features_;
  for (const Layer& layer : layers_) {
    if (copies) Upload(layer);
    const int activation = &layer == &layers_.back() ? kIdentity : kRelu;
    Check(table_.gemm(device_, 0, 1, rows_, layer.out, layer.in, 1.0f, x, layer.weight, 0.0f,
                      layer.output));
    Check(table_.bias_activation(device_, activation, rows_, layer.out, layer.bias, layer.output,
                                 layer.output));
    x = layer.output;
  }
}

void Mlp::Backward(bool copies) {
  for (size_t i = layers_.size(); i-- > 0;) {
    const Layer& layer = layers_[i];
    const float* input = i == 0 ? features_ : layers_[i - 1].output;
    if (i + 1 < layers_.size()) {
      Check(table_.activation_backward(device_, kRelu, static_cast<size_t>(rows_) * layer.out,
                                       nullptr, layer.output, layer.slope, layer.slope));
    }
    Check(table_.column_sum(device_, rows_, layer.out, 0, layer.slope, layer.bias_gradient));
    Check(table_.gemm(device_, 1, 0, layer.out, layer.in, rows_, 1.0f, layer.slope, input, 0.0f,
                      layer.weight_gradient));
    if (copies) Download(layer);
    if (i == 0) break;
    Check(table_.gemm(device_, 0, 0, rows_, layer.in, layer.out, 1.0f, layer.slope, layer.weight,
                      0.0f, layers_[i - 1].slope));
  }
}

double Mlp::flops() const {
  double total = 0.0;
  for (const Layer& layer : layers_) {
    const double product = 2.0 * rows_ * layer.in * layer.out;
    total += product * (&layer == &layers_.front() ? 2 : 3);
  }
  return total;
}

}  // namespace syncline
