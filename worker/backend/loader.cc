#include "worker/backend/loader.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "worker/backend/cpu/cpu_backend.h"

namespace syncline {
namespace {

constexpr char kLibrary[] = "libsyncline_cuda.so";
constexpr char kAccepted[] = "accepted: auto, cpu, cuda, cuda:N";

// Path of the running program, "" if the system won't say.
std::string ProgramPath() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  return size > 0 ? std::string(path, size) : "";
}

// The paths to try, best first.
std::vector<std::string> Candidates(const std::string& directory) {
  if (!directory.empty()) return {directory + "/" + kLibrary};
  if (const char* folder = std::getenv("SYNCLINE_BACKEND_DIR"); folder != nullptr && *folder) {
    return {std::string(folder) + "/" + kLibrary};
  }
  const std::string program = ProgramPath();
  const std::string in_tree = std::string("worker/backend/cuda/") + kLibrary;
  std::vector<std::string> paths = {program.substr(0, program.rfind('/') + 1) + kLibrary,
                                    program + ".runfiles/syncline/" + in_tree};
  if (const char* runfiles = std::getenv("TEST_SRCDIR")) {
    paths.push_back(std::string(runfiles) + "/syncline/" + in_tree);
  }
  return paths;
}

// Null if the library at `path` is not ours or of another version, which *error then says.
const Backend* CheckLibrary(void* library, const std::string& path, std::string* error) {
  const auto entry = reinterpret_cast<BackendEntryPoint>(dlsym(library, kBackendEntryPoint));
  const Backend* backend = entry == nullptr ? nullptr : entry();
  if (backend == nullptr) {
    *error = path + " is not a Syncline backend; it has no " + kBackendEntryPoint + "()";
    return nullptr;
  }
  if (backend->version != kBackendVersion || backend->size != sizeof(Backend)) {
    *error = path + " is backend version " + std::to_string(backend->version) +
             ", but this program needs " + std::to_string(kBackendVersion) +
             "; install both from the same build";
    return nullptr;
  }
  return backend;
}

const Backend* LoadCuda(const std::string& directory, std::string* error) {
  std::string tried;
  for (const std::string& path : Candidates(directory)) {
    tried += (tried.empty() ? "" : ", ") + path;
    if (access(path.c_str(), R_OK) != 0) continue;
    // Never closed: the table and CUDA's threads live as long as the process.
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) return CheckLibrary(library, path, error);
    *error = std::string("the CUDA backend can't be loaded: ") + dlerror() +
             "; is the CUDA toolkit's lib folder in LD_LIBRARY_PATH?";
    return nullptr;
  }
  *error = "the CUDA backend is not there (tried " + tried +
           "); build with a CUDA toolkit (CUDA_HOME), or set SYNCLINE_BACKEND_DIR";
  return nullptr;
}

// "cuda" and "cuda:N" give the ordinal; -1: neither.
int ParseOrdinal(const std::string& device) {
  if (device == "cuda") return 0;
  if (device.compare(0, 5, "cuda:") != 0) return -1;
  const std::string digits = device.substr(5);
  if (digits.empty() || digits.size() > 3) return -1;
  if (digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoi(digits);
}

std::string AcceptedDevices(int count) {
  std::string accepted = "accepted: cpu";
  for (int i = 0; i < count; ++i) accepted += ", cuda:" + std::to_string(i);
  return accepted;
}

bool LoadCudaDevice(const LoaderOptions& options, int ordinal, const std::string& name,
                    LoadedBackend* loaded, std::string* error) {
  const Backend* cuda = LoadCuda(options.directory, error);
  if (cuda == nullptr) {
    *error = name + " was asked for, but " + *error + "; or ask for cpu";
    return false;
  }
  int count = 0;
  if (cuda->device_count(&count) != kBackendOk) {
    *error = name + " was asked for, but " + cuda->last_error() + "; accepted: cpu";
    return false;
  }
  if (ordinal >= count) {
    *error = name + " was asked for, but this machine has " + std::to_string(count) +
             " CUDA device" + (count == 1 ? "" : "s") + "; " + AcceptedDevices(count);
    return false;
  }
  *loaded = {cuda, ordinal, ""};
  return true;
}

}  // namespace

bool LoadBackend(const LoaderOptions& options, LoadedBackend* loaded, std::string* error) {
  if (options.device == "cpu") {
    *loaded = {CpuBackend(), 0, ""};
    return true;
  }
  if (options.device == "auto") {
    std::string reason;
    if (!LoadCudaDevice(options, 0, "cuda:0", loaded, &reason)) {
      *loaded = {CpuBackend(), 0, reason};
      return true;
    }
    int count = 0;
    if (loaded->backend->device_count(&count) == kBackendOk) loaded->ordinal = options.place % count;
    return true;
  }
  const int ordinal = ParseOrdinal(options.device);
  if (ordinal < 0) {
    *error = "device is \"" + options.device + "\"; " + kAccepted;
    return false;
  }
  return LoadCudaDevice(options, ordinal, options.device, loaded, error);
}

}  // namespace syncline
