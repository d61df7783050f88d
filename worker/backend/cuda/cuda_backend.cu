#include <cstdio>

#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

int DeviceCount(int* count) {
  *count = 0;
  const cudaError_t error = cudaGetDeviceCount(count);
  if (error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver) {
    cudaGetLastError();
    *count = 0;  // no GPU, or no driver for one
    return kBackendOk;
  }
  return CheckCuda(error, "cudaGetDeviceCount");
}

void CloseDevice(BackendDevice* device) {
  if (Use(device) == kBackendOk) {
    if (device->cublas != nullptr) cublasDestroy(device->cublas);
    for (cudaStream_t stream : device->streams) {
      if (stream != nullptr) cudaStreamDestroy(stream);
    }
  }
  delete device;
}

int CheckCublas(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return kBackendOk;
  return BackendFail(kBackendFailed, "%s: %s", call, cublasGetStatusString(status));
}

int Fill(const BackendOptions& options, BackendDevice* device) {
  if (const int code = Use(device)) return code;
  for (cudaStream_t& stream : device->streams) {
    SYNCLINE_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  }
  if (const int code = CheckCublas(cublasCreate(&device->cublas), "cublasCreate")) return code;
  if (const int code =
          CheckCublas(cublasSetStream(device->cublas, device->compute()), "cublasSetStream")) {
    return code;
  }
  const cublasMath_t math =
      options.allow_tf32 != 0 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH;
  return CheckCublas(cublasSetMathMode(device->cublas, math), "cublasSetMathMode");
}

int OpenDevice(const BackendOptions* options, BackendDevice** device) {
  int count = 0;
  if (const int code = DeviceCount(&count)) return code;
  if (options->ordinal < 0 || options->ordinal >= count) {
    return BackendFail(kBackendInvalid, "device %d was asked for, but there are %d",
                       options->ordinal, count);
  }
  BackendDevice* opened = new BackendDevice{options->ordinal, {}, nullptr};
  if (const int code = Fill(*options, opened)) {
    CloseDevice(opened);
    return code;
  }
  *device = opened;
  return kBackendOk;
}

int Describe(BackendDevice* device, char* text, size_t size) {
  cudaDeviceProp properties;
  SYNCLINE_CUDA(cudaGetDeviceProperties(&properties, device->ordinal));
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  cublasGetMathMode(device->cublas, &math);
  std::snprintf(text, size, "%s, %zu GiB%s", properties.name, properties.totalGlobalMem >> 30,
                math == CUBLAS_TF32_TENSOR_OP_MATH ? ", TF32 products" : "");
  return kBackendOk;
}

Backend MakeTable() {
  Backend table = {};
  table.version = kBackendVersion;
  table.size = sizeof(Backend);
  table.name = "cuda";
  table.last_error = LastBackendError;
  table.device_count = DeviceCount;
  table.open_device = OpenDevice;
  table.close_device = CloseDevice;
  table.describe = Describe;
  AddMemory(&table);
  AddGemm(&table);
  AddActivations(&table);
  AddColumnSum(&table);
  AddDropout(&table);
  AddLayerNorm(&table);
  AddLosses(&table);
  AddCounts(&table);
  AddGathers(&table);
  return table;
}

}  // namespace
}  // namespace syncline

extern "C" const syncline::Backend* syncline_backend() {
  static const syncline::Backend table = syncline::MakeTable();
  return &table;
}
