#include "worker/data/dataset_factory.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "common/status/status_matchers.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

// Ten rows of one feature, 0 to 9, which is the label too.
JobManifest CsvJob() {
  JobManifest job;
  job.mutable_model()->set_input(1);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(10);
  job.mutable_model()->set_loss(SOFTMAX_CROSS_ENTROPY);
  std::string rows;
  for (int i = 0; i < 10; ++i) rows += std::to_string(i) + "," + std::to_string(i) + "\n";
  Data& data = *job.mutable_data();
  data.set_format(CSV);
  data.set_train(TestFile("train.csv", rows));
  data.set_std(1);
  data.set_label_column(-1);
  data.set_separator(",");
  return job;
}

TEST(DatasetFactoryTest, LoadsTheTrainingDataAlone) {
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const TrainingData data, LoadTrainingData(CsvJob()));
  EXPECT_EQ(data.train->size(), 10u);
  EXPECT_EQ(data.test, nullptr);
}

TEST(DatasetFactoryTest, LoadsATestFile) {
  JobManifest job = CsvJob();
  job.mutable_data()->set_test(TestFile("test.csv", "1,2\n"));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const TrainingData data, LoadTrainingData(job));
  EXPECT_EQ(data.test->size(), 1u);
}

TEST(DatasetFactoryTest, HoldsOutAFractionBySeed) {
  JobManifest job = CsvJob();
  job.mutable_data()->set_test_fraction(0.3);
  std::set<std::vector<float>> held_out;
  for (const uint64_t seed : {1, 1, 2, 3, 4}) {
    job.set_seed(seed);
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const TrainingData data, LoadTrainingData(job));
    ASSERT_EQ(data.train->size(), 7u);
    ASSERT_EQ(data.test->size(), 3u);
    const auto train = TargetsOf(*data.train, {0, 1, 2, 3, 4, 5, 6});
    const auto test = TargetsOf(*data.test, {0, 1, 2});
    std::set<float> all(train.begin(), train.end());
    all.insert(test.begin(), test.end());
    EXPECT_EQ(all.size(), 10u);
    held_out.insert(test);
  }
  EXPECT_LE(held_out.size(), 4u);  // seed 1 came twice
  EXPECT_GE(held_out.size(), 2u);
}

TEST(DatasetFactoryTest, RefusesToHoldOutNothing) {
  JobManifest job = CsvJob();
  job.mutable_data()->set_test_fraction(0.01);
  EXPECT_THAT(LoadTrainingData(job),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("data.test_fraction: 0.01")));
}

TEST(DatasetFactoryTest, DrawsRandomSamples) {
  JobManifest job = CsvJob();
  job.mutable_data()->set_format(RANDOM_LINEAR);
  job.mutable_data()->set_samples(100);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const TrainingData data, LoadTrainingData(job));
  EXPECT_EQ(data.train->size(), 100u);
}

TEST(DatasetFactoryTest, LoadsColumnsOfSeveralFiles) {
  JobManifest job = CsvJob();
  job.mutable_model()->set_loss(LOGISTIC);
  job.mutable_data()->set_columns("label, category");
  job.mutable_data()->set_label_above(3);
  job.mutable_data()->clear_label_column();
  job.mutable_data()->set_test_fraction(0.5);
  const std::string first = TestFile("part_1.csv", "4,a\n5,b\n"), second = TestFile("part_2.csv", "3,a\n2,c\n");
  job.mutable_data()->set_train(first.substr(0, first.rfind('/')) + "/part_*.csv");
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const TrainingData data, LoadTrainingData(job));
  EXPECT_EQ(data.train->size(), 2u);
  EXPECT_EQ(data.test->size(), 2u);
  EXPECT_EQ(data.train->fields(), 1u);
  EXPECT_EQ(data.train->features(), 0u);
}

// With a shuffle buffer samples are kept in a file, under the same numbers; what is left of a split keeps their order.
TEST(DatasetFactoryTest, KeepsSamplesInAFile) {
  JobManifest job = CsvJob();
  job.mutable_data()->set_shuffle_buffer(4);
  job.mutable_data()->set_scratch(std::getenv("TEST_TMPDIR"));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const TrainingData all, LoadTrainingData(job));
  EXPECT_THAT(TargetsOf(*all.train, {0, 9, 5}), testing::ElementsAre(0, 9, 5));
  job.mutable_data()->set_test_fraction(0.3);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const TrainingData split, LoadTrainingData(job));
  const std::vector<float> train = TargetsOf(*split.train, {0, 1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(std::is_sorted(train.begin(), train.end()));
  job.mutable_data()->set_scratch("/nowhere");
  EXPECT_THAT(LoadTrainingData(job), StatusIs(absl::StatusCode::kNotFound, HasSubstr("data.scratch: /nowhere")));
}

TEST(DatasetFactoryTest, LoadsKeysOfLibsvm) {
  JobManifest job = CsvJob();
  job.mutable_model()->set_loss(LOGISTIC);
  job.mutable_data()->set_format(LIBSVM);
  job.mutable_data()->set_entry_keys(2);
  job.mutable_data()->set_train(TestFile("keys.svm", "1 7:1\n0 7:1 9:1\n"));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const TrainingData data, LoadTrainingData(job));
  EXPECT_EQ(data.train->fields(), 2u);
  EXPECT_EQ(data.train->features(), 0u);
}

TEST(DatasetFactoryTest, LoadsCriteo) {
  JobManifest job = CsvJob();
  job.mutable_model()->set_loss(LOGISTIC);
  job.mutable_data()->set_format(CRITEO);
  job.mutable_data()->set_train(TestFile("day.tsv", "1" + std::string(39, '\t') + "\n"));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const TrainingData data, LoadTrainingData(job));
  EXPECT_EQ(data.train->fields(), 26u);
  EXPECT_EQ(data.train->features(), 13u);
}

}  // namespace
}  // namespace syncline
