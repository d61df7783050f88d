#include "worker/backend/cuda/cuda_device.h"

namespace syncline {

struct BackendEvent {
  cudaEvent_t event;
};

namespace {

// Zeroes `memory`, or gives it back with `release` and fails.
template <typename Release>
int Zero(BackendDevice* device, void** memory, size_t bytes, Release release) {
  int code = CheckCuda(cudaMemsetAsync(*memory, 0, bytes, device->compute()), "cudaMemsetAsync");
  if (code == kBackendOk) {
    code = CheckCuda(cudaStreamSynchronize(device->compute()), "cudaStreamSynchronize");
  }
  if (code != kBackendOk) {
    release(*memory);
    *memory = nullptr;
  }
  return code;
}

int Allocate(BackendDevice* device, size_t bytes, void** memory) {
  if (const int code = Use(device)) return code;
  bytes = bytes > 0 ? bytes : 1;
  SYNCLINE_CUDA(cudaMalloc(memory, bytes));
  return Zero(device, memory, bytes, cudaFree);
}

int AllocateHost(BackendDevice* device, size_t bytes, void** memory) {
  if (const int code = Use(device)) return code;
  bytes = bytes > 0 ? bytes : 1;
  SYNCLINE_CUDA(cudaMallocHost(memory, bytes));
  return Zero(device, memory, bytes, cudaFreeHost);
}

void Release(BackendDevice* device, void* memory) {
  if (Use(device) == kBackendOk) cudaFree(memory);
}

void ReleaseHost(BackendDevice* device, void* memory) {
  if (Use(device) == kBackendOk) cudaFreeHost(memory);
}

int PinHost(BackendDevice* device, void* memory, size_t bytes) {
  if (const int code = Use(device)) return code;
  SYNCLINE_CUDA(cudaHostRegister(memory, bytes, cudaHostRegisterPortable));
  return kBackendOk;
}

void UnpinHost(BackendDevice* device, void* memory) {
  if (Use(device) == kBackendOk) cudaHostUnregister(memory);
}

int CheckStream(int stream) {
  if (stream >= kComputeStream && stream <= kGroupStream) return kBackendOk;
  return BackendFail(kBackendInvalid, "there is no stream %d", stream);
}

int Copy(BackendDevice* device, int stream, void* to, const void* from, size_t bytes) {
  if (const int code = CheckStream(stream)) return code;
  if (const int code = Use(device)) return code;
  if (bytes == 0) return kBackendOk;
  SYNCLINE_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, device->streams[stream]));
  return kBackendOk;
}

int CreateEvent(BackendDevice* device, BackendEvent** event) {
  if (const int code = Use(device)) return code;
  cudaEvent_t made;
  SYNCLINE_CUDA(cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
  *event = new BackendEvent{made};
  return kBackendOk;
}

void DestroyEvent(BackendDevice* device, BackendEvent* event) {
  if (Use(device) == kBackendOk) cudaEventDestroy(event->event);
  delete event;
}

int RecordEvent(BackendDevice* device, BackendEvent* event, int stream) {
  if (const int code = CheckStream(stream)) return code;
  if (const int code = Use(device)) return code;
  SYNCLINE_CUDA(cudaEventRecord(event->event, device->streams[stream]));
  return kBackendOk;
}

int QueryEvent(BackendDevice* device, BackendEvent* event, int* done) {
  if (const int code = Use(device)) return code;
  const cudaError_t state = cudaEventQuery(event->event);
  *done = state == cudaSuccess ? 1 : 0;
  if (state == cudaErrorNotReady) {
    cudaGetLastError();  // not an error, but it is kept as one
    return kBackendOk;
  }
  return CheckCuda(state, "cudaEventQuery");
}

int WaitEvent(BackendDevice* device, BackendEvent* event) {
  if (const int code = Use(device)) return code;
  SYNCLINE_CUDA(cudaEventSynchronize(event->event));
  return kBackendOk;
}

int StreamWaitEvent(BackendDevice* device, int stream, BackendEvent* event) {
  if (const int code = CheckStream(stream)) return code;
  if (const int code = Use(device)) return code;
  SYNCLINE_CUDA(cudaStreamWaitEvent(device->streams[stream], event->event, 0));
  return kBackendOk;
}

int Synchronize(BackendDevice* device) {
  if (const int code = Use(device)) return code;
  for (cudaStream_t stream : device->streams) SYNCLINE_CUDA(cudaStreamSynchronize(stream));
  return kBackendOk;
}

}  // namespace

void AddMemory(Backend* table) {
  table->allocate = Allocate;
  table->release = Release;
  table->allocate_host = AllocateHost;
  table->release_host = ReleaseHost;
  table->pin_host = PinHost;
  table->unpin_host = UnpinHost;
  table->copy = Copy;
  table->create_event = CreateEvent;
  table->destroy_event = DestroyEvent;
  table->record_event = RecordEvent;
  table->query_event = QueryEvent;
  table->wait_event = WaitEvent;
  table->stream_wait_event = StreamWaitEvent;
  table->synchronize = Synchronize;
}

}  // namespace syncline
