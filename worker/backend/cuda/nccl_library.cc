#include "worker/backend/cuda/nccl_library.h"

#include <dlfcn.h>

#include <cstdlib>

namespace syncline {
namespace {

constexpr char kUsual[] = "libnccl.so.2";
constexpr char kWhatToDo[] = "; install NCCL 2.14 or newer, or name its library in SYNCLINE_NCCL";

std::string NameOf(int version) {
  return "NCCL " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

template <typename Function>
bool Find(void* library, const char* name, Function** function, std::string* missing) {
  *function = reinterpret_cast<Function*>(dlsym(library, name));
  if (*function == nullptr && missing->empty()) *missing = name;
  return *function != nullptr;
}

// The first function that is not there; "": none.
std::string FindAll(void* handle, NcclLibrary* library) {
  std::string missing;
  Find(handle, "ncclGetVersion", &library->get_version, &missing);
  Find(handle, "ncclGetUniqueId", &library->get_unique_id, &missing);
  Find(handle, "ncclCommInitRankConfig", &library->comm_init_rank_config, &missing);
  Find(handle, "ncclCommGetAsyncError", &library->comm_get_async_error, &missing);
  Find(handle, "ncclCommAbort", &library->comm_abort, &missing);
  Find(handle, "ncclReduce", &library->reduce, &missing);
  Find(handle, "ncclBroadcast", &library->broadcast, &missing);
  Find(handle, "ncclGroupStart", &library->group_start, &missing);
  Find(handle, "ncclGroupEnd", &library->group_end, &missing);
  Find(handle, "ncclGetErrorString", &library->get_error_string, &missing);
  Find(handle, "ncclGetLastError", &library->get_last_error, &missing);
  return missing;
}

}  // namespace

std::string NcclLibrary::Name() const { return NameOf(version); }

std::string NcclLibrary::Explain(int result) const {
  std::string text = get_error_string(result);
  const char* last = get_last_error(nullptr);
  if (last != nullptr && *last != '\0') text += std::string(": ") + last;
  return text;
}

bool LoadNccl(const std::string& path, NcclLibrary* library, std::string* error) {
  // Never closed: its threads live as long as the process.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    *error = dlerror() + std::string(kWhatToDo);  // it names the library
    return false;
  }
  NcclLibrary found = {};
  const std::string missing = FindAll(handle, &found);
  // One that is old lacks functions too: its age says more.
  if (found.get_version != nullptr && found.get_version(&found.version) == kNcclSuccess &&
      found.version < kNcclMinimum) {
    *error = path + " is " + NameOf(found.version) + kWhatToDo;
    return false;
  }
  if (!missing.empty()) {
    *error = path + " has no " + missing + "()" + kWhatToDo;
    return false;
  }
  *library = found;
  return true;
}

const NcclLibrary* Nccl(std::string* error) {
  struct Loaded {
    NcclLibrary library = {};
    std::string error;
    bool there = false;

    Loaded() {
      const char* named = std::getenv("SYNCLINE_NCCL");
      there = LoadNccl(named != nullptr && *named != '\0' ? named : kUsual, &library, &error);
    }
  };
  static const Loaded loaded;
  if (!loaded.there) *error = loaded.error;
  return loaded.there ? &loaded.library : nullptr;
}

}  // namespace syncline
