#include "worker/backend/cpu/blas.h"

#include <dlfcn.h>

#include <cstdlib>

#include "worker/backend/cpu/vectorise.h"

namespace syncline {
namespace {

// Sets an environment variable unless it is set, and takes it back at the end of the scope.
class DefaultEnvironment {
 public:
  DefaultEnvironment(const char* name, const char* value) : name_(name) {
    if (value != nullptr && std::getenv(name) == nullptr) set_ = setenv(name, value, 1) == 0;
  }
  ~DefaultEnvironment() {
    if (set_) unsetenv(name_);
  }
  DefaultEnvironment(const DefaultEnvironment&) = delete;
  DefaultEnvironment& operator=(const DefaultEnvironment&) = delete;

 private:
  const char* name_;
  bool set_ = false;
};

const char* BestKernels() {
  switch (ThisInstructionSet()) {
    case InstructionSet::kAvx512:
      return "SkylakeX";
    case InstructionSet::kAvx2:
      return "Haswell";
    case InstructionSet::kBase:
      return nullptr;
  }
  return nullptr;
}

Blas Load() {
  const DefaultEnvironment kernels("OPENBLAS_CORETYPE", BestKernels());
  // Devices ask for the threads they want; until then it should start none.
  const DefaultEnvironment threads("OPENBLAS_NUM_THREADS", "1");
  void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {nullptr, nullptr, ""};
  Blas blas = {};
  blas.sgemm = reinterpret_cast<SgemmFunction>(dlsym(library, "cblas_sgemm"));
  blas.set_threads =
      reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"));
  const auto core_name = reinterpret_cast<char* (*)()>(dlsym(library, "openblas_get_corename"));
  if (blas.sgemm == nullptr || blas.set_threads == nullptr || core_name == nullptr) {
    return {nullptr, nullptr, ""};
  }
  blas.kernels = core_name();
  return blas;
}

}  // namespace

const Blas& LoadBlas() {
  static const Blas blas = Load();
  return blas;
}

}  // namespace syncline
