#include <cstdint>
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

// What cudaMallocAsync took once it keeps, where the next call finds it.
int KeepPool(const BackendDevice* device) {
  cudaMemPool_t pool;
  SYNCLINE_CUDA(cudaDeviceGetDefaultMemPool(&pool, device->ordinal));
  uint64_t all = UINT64_MAX;
  SYNCLINE_CUDA(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all));
  return kBackendOk;
}

int Fill(BackendDevice* device) {
  if (const int code = Use(device)) return code;
  if (const int code = KeepPool(device)) return code;
  for (cudaStream_t& stream : device->streams) {
    SYNCLINE_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  }
  if (const int code = CheckCublas(cublasCreate(&device->cublas), "cublasCreate")) return code;
  return CheckCublas(cublasSetStream(device->cublas, device->compute()), "cublasSetStream");
}

cublasComputeType_t Products(const BackendOptions& options) {
  if (options.allow_bf16 != 0) return CUBLAS_COMPUTE_32F_FAST_16BF;
  return options.allow_tf32 != 0 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

int OpenDevice(const BackendOptions* options, BackendDevice** device) {
  int count = 0;
  if (const int code = DeviceCount(&count)) return code;
  if (options->ordinal < 0 || options->ordinal >= count) {
    return BackendFail(kBackendInvalid, "device %d was asked for, but there are %d",
                       options->ordinal, count);
  }
  if (options->allow_tf32 != 0 && options->allow_bf16 != 0) {
    return BackendFail(kBackendInvalid, "products round to TF32 or to bfloat16, not to both");
  }
  BackendDevice* opened = new BackendDevice{options->ordinal, {}, nullptr, Products(*options)};
  if (const int code = Fill(opened)) {
    CloseDevice(opened);
    return code;
  }
  *device = opened;
  return kBackendOk;
}

int Describe(BackendDevice* device, char* text, size_t size) {
  cudaDeviceProp properties;
  SYNCLINE_CUDA(cudaGetDeviceProperties(&properties, device->ordinal));
  const char* products = "";
  if (device->products == CUBLAS_COMPUTE_32F_FAST_TF32) products = ", TF32 products";
  if (device->products == CUBLAS_COMPUTE_32F_FAST_16BF) products = ", bfloat16 products";
  std::snprintf(text, size, "%s, %zu GiB%s", properties.name, properties.totalGlobalMem >> 30,
                products);
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
  AddEmbedding(&table);
  AddAttention(&table);
  AddLookUp(&table);
  AddVectors(&table);
  AddGroups(&table);
  return table;
}

}  // namespace
}  // namespace syncline

extern "C" const syncline::Backend* syncline_backend() {
  static const syncline::Backend table = syncline::MakeTable();
  return &table;
}
