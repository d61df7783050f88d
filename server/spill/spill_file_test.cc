#include "server/spill/spill_file.h"

#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/status/status_matchers.h"
#include "common/tensor/buffer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr size_t kPage = 32768;

std::string Folder() { return std::string(std::getenv("TEST_TMPDIR")) + "/rows/of/tables"; }

// Pages of bytes that are all the same.
std::vector<uint64_t> Write(SpillFile* file, const std::vector<char>& values, size_t bytes = kPage) {
  std::vector<Buffer> buffers;
  std::vector<const char*> pages;
  for (const char value : values) {
    buffers.push_back(Buffer::Allocate(bytes));
    std::memset(buffers.back().data(), value, bytes);
    pages.push_back(buffers.back().data());
  }
  std::vector<uint64_t> places(values.size());
  SYNCLINE_EXPECT_OK(file->Write(pages, bytes, places.data()));
  return places;
}

TEST(SpillFileTest, ReadsPartsOfWhatWasWritten) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto file, SpillFile::Create(Folder()));
  EXPECT_TRUE(std::filesystem::is_empty(Folder())) << "the file has no name";
  std::vector<char> values;
  for (int i = 0; i < 100; ++i) values.push_back(static_cast<char>(i + 1));
  const std::vector<uint64_t> places = Write(file.get(), values);
  std::mt19937 random(1);
  std::vector<ColdPages::Part> parts;
  std::vector<std::string> read(3000);
  for (std::string& to : read) {
    const size_t page = parts.size() % places.size(), size = 1 + random() % 9000;
    to.resize(size);
    parts.push_back({places[page], random() % (kPage - size), size, to.data()});
  }
  SYNCLINE_ASSERT_OK(file->Read(parts));
  for (size_t i = 0; i < read.size(); ++i) {
    ASSERT_EQ(read[i], std::string(read[i].size(), values[i % values.size()])) << i;
  }
}

TEST(SpillFileTest, PlacesThatAreFreeAreTakenAgain) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto file, SpillFile::Create(Folder()));
  std::vector<uint64_t> places = Write(file.get(), {1, 2, 3, 4});
  const std::vector<uint64_t> large = Write(file.get(), {5}, 3 * kPage);
  EXPECT_EQ(file->size(), 7 * kPage);
  file->Free(places[1], kPage);
  file->Free(places[3], kPage);
  EXPECT_EQ(file->counters().bytes, 5 * kPage);
  const std::vector<uint64_t> again = Write(file.get(), {7, 8, 9});
  EXPECT_EQ(file->size(), 8 * kPage);
  for (size_t i = 0; i < again.size(); ++i) {
    char byte = 0;
    SYNCLINE_ASSERT_OK(file->Read({{again[i], 5, 1, &byte}}));
    EXPECT_EQ(byte, static_cast<char>(7 + i));
  }
  char last = 0;
  SYNCLINE_ASSERT_OK(file->Read({{large[0], 3 * kPage - 1, 1, &last}}));
  EXPECT_EQ(last, 5);
}

TEST(SpillFileTest, ManyThreadsAtOnce) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto file, SpillFile::Create(Folder()));
  std::vector<std::thread> threads;
  for (char t = 1; t <= 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 20; ++round) {
        const std::vector<uint64_t> places = Write(file.get(), std::vector<char>(5, t));
        std::vector<char> bytes(5);
        std::vector<ColdPages::Part> parts;
        for (size_t i = 0; i < 5; ++i) parts.push_back({places[i], 9000 * i % kPage, 1, &bytes[i]});
        SYNCLINE_ASSERT_OK(file->Read(parts));
        EXPECT_EQ(bytes, std::vector<char>(5, t));
        for (const uint64_t place : places) file->Free(place, kPage);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(file->counters().bytes, 0u);
  EXPECT_LE(file->size(), 20 * kPage);
}

TEST(SpillFileTest, AFullDiskIsSaidAndTakesNothing) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto file, SpillFile::Create(Folder()));
  const std::vector<uint64_t> places = Write(file.get(), {1, 2});
  signal(SIGXFSZ, SIG_IGN);
  const rlimit small{3 * kPage + 5 * 4096, RLIM_INFINITY};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Buffer page = Buffer::Allocate(kPage);
  std::vector<uint64_t> more(2);
  const absl::Status full = file->Write({page.data(), page.data()}, kPage, more.data());
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kResourceExhausted,
                             AllOf(HasSubstr("cannot write"), HasSubstr("--table_folder="), HasSubstr("too large"))));
  EXPECT_EQ(file->counters().bytes, 2 * kPage);
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  SYNCLINE_EXPECT_OK(file->Write({page.data(), page.data()}, kPage, more.data()));
  char byte = 0;
  SYNCLINE_ASSERT_OK(file->Read({{places[1], 100, 1, &byte}}));
  EXPECT_EQ(byte, 2);
}

TEST(SpillFileTest, WhatIsNotThereCannotBeRead) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto file, SpillFile::Create(Folder()));
  char byte = 0;
  EXPECT_THAT(file->Read({{1 << 20, 0, 1, &byte}}),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("at byte 1048576"), HasSubstr("start it with a --table_folder on another disk"))));
}

TEST(SpillFileTest, AFolderThatCannotBeIsNamed) {
  EXPECT_THAT(SpillFile::Create("/proc/rows").status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("--table_folder=/proc/rows")));
}

}  // namespace
}  // namespace syncline
