#include "server/coordinator/directory_store.h"

#include "common/io/fault_file_system.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "server/coordinator/test_records.h"

namespace syncline {
namespace {

std::string Folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "/" + name;
  SYNCLINE_EXPECT_OK(PosixFileSystem().RemoveFolder(folder));
  return folder;
}

std::unique_ptr<MetadataStore> Open(const std::string& folder) {
  auto store = DirectoryStore::Open(&PosixFileSystem(), folder, nullptr, nullptr);
  SYNCLINE_EXPECT_OK(store.status());
  return store.ok() ? *std::move(store) : nullptr;
}

TEST(DirectoryStoreTest, TheNextOneReadsWhatWasAppended) {
  const std::string folder = Folder("append");
  {
    const auto store = Open(folder);
    for (const uint32_t n : {1, 2, 3}) SYNCLINE_EXPECT_OK(store->Append(Scaled(n), n == 3));
  }
  const auto store = Open(folder);
  EXPECT_EQ(ShardsOf(store.get()), (std::vector<uint32_t>{1, 2, 3}));
  SYNCLINE_EXPECT_OK(store->Begin(Scaled(4)));
  SYNCLINE_EXPECT_OK(store->Append(Scaled(5), true));
  EXPECT_EQ(ShardsOf(store.get()), (std::vector<uint32_t>{4, 5}));
}

TEST(DirectoryStoreTest, ARecordCutShortAndWhatFollowsIsDropped) {
  const std::string folder = Folder("torn");
  {
    const auto store = Open(folder);
    for (const uint32_t n : {1, 2, 3}) SYNCLINE_EXPECT_OK(store->Append(Scaled(n), true));
  }
  const std::string path = folder + "/log";
  const auto whole = ReadFile(PosixFileSystem(), path);
  SYNCLINE_ASSERT_OK(whole.status());
  for (size_t size = 0; size < whole->size(); ++size) {
    SYNCLINE_ASSERT_OK(WriteFileAtomically(PosixFileSystem(), path, whole->substr(0, size)));
    const auto store = Open(folder);
    const size_t each = whole->size() / 3;
    EXPECT_EQ(ShardsOf(store.get()).size(), size / each) << size;
    SYNCLINE_EXPECT_OK(store->Append(Scaled(9), true));
    EXPECT_EQ(ShardsOf(store.get()).back(), 9u) << "appended after what was cut off";
  }
}

TEST(DirectoryStoreTest, OnAFullDiskItWaitsForRoom) {
  const std::string folder = Folder("full");
  SYNCLINE_ASSERT_OK(PosixFileSystem().CreateFolder(folder));  // of the lock
  FaultFileSystem files;
  SYNCLINE_ASSERT_OK(files.CreateFolder(folder));
  {
    const auto first = DirectoryStore::Open(&files, folder, nullptr, nullptr);
    SYNCLINE_ASSERT_OK(first);
    SYNCLINE_EXPECT_OK((*first)->Append(Scaled(1), true));
  }
  files.SetCapacity(0);
  int asked = 0;
  const auto store = DirectoryStore::Open(&files, folder, nullptr, [&] {
    files.SetCapacity(1 << 20);
    return ++asked > 10;
  });
  SYNCLINE_ASSERT_OK(store);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(ShardsOf(store->get()), std::vector<uint32_t>{1});
}

// A change of the map that could not be kept is taken back, and no later coordinator may go through with it.
TEST(DirectoryStoreTest, ADecisionThatFailedIsNotThereLater) {
  const std::string folder = Folder("decide");
  SYNCLINE_ASSERT_OK(PosixFileSystem().CreateFolder(folder));  // of the lock
  FaultFileSystem files;
  SYNCLINE_ASSERT_OK(files.CreateFolder(folder));
  {
    const auto store = DirectoryStore::Open(&files, folder, nullptr, nullptr);
    SYNCLINE_ASSERT_OK(store);
    SYNCLINE_EXPECT_OK((*store)->Decide(Scaled(1)));
    files.FailAt(1, absl::ResourceExhaustedError("full"));
    EXPECT_FALSE((*store)->Decide(Scaled(2)).ok());
    EXPECT_FALSE((*store)->Append(Scaled(3), true).ok());
    files.FailAt(0, absl::OkStatus());
    SYNCLINE_EXPECT_OK((*store)->Append(Scaled(4), true));
  }
  const auto store = DirectoryStore::Open(&files, folder, nullptr, nullptr);
  SYNCLINE_ASSERT_OK(store);
  EXPECT_EQ(ShardsOf(store->get()), (std::vector<uint32_t>{1, 3, 4}));
}

TEST(DirectoryStoreTest, ASecondCoordinatorStandsBy) {
  const std::string folder = Folder("lock");
  auto first = Open(folder);
  int waited = 0, asked = 0;
  const auto stop = [&] {
    if (++asked == 2) first.reset();
    return asked > 100;
  };
  const auto second =
      DirectoryStore::Open(&PosixFileSystem(), folder, [&] { ++waited; }, stop);
  SYNCLINE_EXPECT_OK(second.status());
  EXPECT_EQ(waited, 1);
  EXPECT_GE(asked, 2);
}

}  // namespace
}  // namespace syncline
