#include "worker/backend/cpu/cpu_backend.h"

#include <cstdio>

#include "worker/backend/cpu/blas.h"
#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/host_device.h"

namespace syncline {
namespace {

int OpenDevice(const BackendOptions* options, BackendDevice** device) {
  const int code = HostBackend().open_device(options, device);
  if (code == kBackendOk && LoadBlas().set_threads != nullptr) {
    LoadBlas().set_threads(options->threads);
  }
  return code;
}

const char* Name(InstructionSet set) {
  switch (set) {
    case InstructionSet::kAvx512:
      return "AVX-512";
    case InstructionSet::kAvx2:
      return "AVX2";
    case InstructionSet::kBase:
      return "x86-64-v2";
  }
  return "";
}

int Describe(BackendDevice* device, char* text, size_t size) {
  const char* set = Name(ThisInstructionSet());
  if (LoadBlas().sgemm == nullptr) {
    std::snprintf(text, size, "%s, slow products: libopenblas.so.0 is missing", set);
  } else {
    std::snprintf(text, size, "%s, OpenBLAS %s, threads: %d", set, LoadBlas().kernels,
                  device->options.threads);
  }
  return kBackendOk;
}

Backend MakeTable() {
  Backend table = HostBackend();
  table.name = "cpu";
  table.open_device = OpenDevice;
  table.describe = Describe;
  AddGemm(&table);
  AddActivations(&table);
  AddColumnSum(&table);
  AddDropout(&table);
  AddLayerNorm(&table);
  AddLosses(&table);
  AddGathers(&table);
  AddEmbedding(&table);
  AddAttention(&table);
  AddLookUp(&table);
  AddVectors(&table);
  return table;
}

}  // namespace

const Backend* CpuBackend() {
  static const Backend table = MakeTable();
  return &table;
}

}  // namespace syncline
