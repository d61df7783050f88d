#ifndef SYNCLINE_WORKER_DATA_TEST_FILES_H_
#define SYNCLINE_WORKER_DATA_TEST_FILES_H_

// Data files for tests.

#include <zlib.h>
#include <zstd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "worker/data/dataset.h"

namespace syncline {

// Writes a file into the test's own folder and returns its path.
inline std::string TestFile(const std::string& name, const std::string& bytes) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

// The bytes of a gzip file that holds `bytes`.
inline std::string Gzipped(const std::string& bytes) {
  const std::string path = TestFile("gzipped", "");
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Likewise of a zstd file.
inline std::string Zstandard(const std::string& bytes) {
  std::string packed(ZSTD_compressBound(bytes.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 3));
  return packed;
}

inline std::vector<float> FeaturesOf(const Dataset& data, std::vector<uint32_t> samples) {
  std::vector<float> features(samples.size() * data.features());
  data.CopyFeatures(samples, features.data());
  return features;
}

inline std::vector<int32_t> ClassesOf(const Dataset& data, std::vector<uint32_t> samples) {
  std::vector<int32_t> classes(samples.size());
  data.CopyClasses(samples, classes.data());
  return classes;
}

inline std::vector<float> TargetsOf(const Dataset& data, std::vector<uint32_t> samples) {
  std::vector<float> targets(samples.size());
  data.CopyTargets(samples, targets.data());
  return targets;
}

inline std::vector<uint64_t> KeysOf(const Dataset& data, std::vector<uint32_t> samples) {
  std::vector<uint64_t> keys(samples.size() * data.fields());
  data.CopyKeys(samples, keys.data());
  return keys;
}

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_TEST_FILES_H_
