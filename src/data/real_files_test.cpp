// The files that people have, with no option: counts as the files' SOURCE.txt has them.
#include <gtest/gtest.h>

#include <set>

#include "files/test_files.h"
#include "limpid/data.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

// Why a test of these files skips.
std::string absent(const fs::path& folder) {
  return "no " + folder.string() + " (LIMPID_DATA names the data folder)";
}

int64_t of_class(const LabelledTexts& texts, const std::string& name) {
  int64_t count = 0;
  for (const int64_t label : texts.labels) count += texts.classes[static_cast<size_t>(label)] == name;
  return count;
}

TEST(RealFiles, sms_spam) {
  const fs::path folder = data_folder() / "classify/sms_spam";
  if (!fs::exists(folder)) GTEST_SKIP() << absent(folder);
  const LabelledTexts all = read_labelled_texts(folder / "SMSSpamCollection");
  EXPECT_EQ(all.texts.size(), 5574u);
  EXPECT_EQ(all.skipped.count, 0);
  EXPECT_EQ(all.classes, (std::vector<std::string>{"ham", "spam"}));
  EXPECT_EQ(of_class(all, "spam"), 747);
  const LabelledTexts distinct = without_repeats(all);
  EXPECT_EQ(distinct.texts.size(), 5171u);
  EXPECT_EQ(of_class(distinct, "spam"), 653);
}

TEST(RealFiles, banking77) {
  const fs::path folder = data_folder() / "classify/banking77";
  if (!fs::exists(folder)) GTEST_SKIP() << absent(folder);
  const LabelledTexts train = read_labelled_texts(folder / "train.csv");
  EXPECT_EQ(train.texts.size(), 10003u);
  EXPECT_EQ(train.skipped.count, 0);
  EXPECT_EQ(train.classes.size(), 77u);
  EXPECT_EQ(train.texts[0], "I am still waiting on my card?");
  EXPECT_EQ(train.classes[static_cast<size_t>(train.labels[0])], "card_arrival");
  const LabelledTexts test = read_labelled_texts(folder / "test.csv", {}, train.classes);
  EXPECT_EQ(test.texts.size(), 3080u);
  EXPECT_EQ(test.skipped.count, 0);
  for (const std::string& name : train.classes) EXPECT_EQ(of_class(test, name), 40) << name;
}

TEST(RealFiles, mnist) {
  const fs::path folder = data_folder() / "images/mnist";
  if (!fs::exists(folder)) GTEST_SKIP() << absent(folder);
  const LabelledImages test = read_idx(folder / "t10k-first3000-images-idx3-ubyte.gz",
                                       folder / "t10k-first3000-labels-idx1-ubyte.gz");
  EXPECT_EQ(test.images.shape().text(), "[B=3000,Y=28,X=28,K=1]");
  EXPECT_EQ(std::vector<int64_t>(test.labels.begin(), test.labels.begin() + 5),
            (std::vector<int64_t>{7, 2, 1, 0, 4}));
  EXPECT_TRUE(holds(error_of([&] {
                      read_idx(folder / "t10k-first3000-images-idx3-ubyte.gz",
                               folder / "t10k-labels-idx1-ubyte.gz");
                    }),
                    {"3000 images", "10000 labels"}));
  const LabelledImages train =
      read_idx(folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz");
  EXPECT_EQ(train.images.shape().size(Axis::B), 60000);
  EXPECT_EQ(train.classes.size(), 10u);
  EXPECT_EQ(std::vector<int64_t>(train.labels.begin(), train.labels.begin() + 5),
            (std::vector<int64_t>{5, 0, 4, 1, 9}));
}

TEST(RealFiles, series) {
  const fs::path folder = data_folder() / "timeseries";
  if (!fs::exists(folder)) GTEST_SKIP() << absent(folder);
  const SeriesTable hours = read_series(folder / "ETTh1.csv");
  EXPECT_EQ(hours.values.shape().text(), "[17420,7]");
  EXPECT_EQ(hours.columns.back(), "OT");
  EXPECT_EQ(hours.gaps, 0);
  EXPECT_EQ(hours.times.front(), "2016-07-01 00:00:00");
  EXPECT_EQ(hours.values.at({0, 6}), 30.5310001373291);
  struct Series {
    const char* name;
    int64_t rows;
    const char* about;
  };
  for (const Series& s : {Series{"airline-passengers", 144, "International airline passengers"},
                          Series{"daily-min-temperatures", 3650, "Daily minimum temperatures in Melbourne"},
                          Series{"monthly-sunspots", 2820, "Zuerich monthly sunspot numbers"}}) {
    const SeriesTable t = read_series(folder / (std::string(s.name) + ".csv"));
    EXPECT_EQ(t.values.shape().sizes(), (std::vector<int64_t>{s.rows, 1})) << s.name;
    EXPECT_EQ(t.gaps + t.skipped.count, 0) << s.name;
    EXPECT_EQ(t.times.size(), static_cast<size_t>(s.rows));
    EXPECT_TRUE(t.about.starts_with(s.about)) << t.about;
  }
}

TEST(RealFiles, multi30k) {
  const fs::path folder = data_folder() / "translate/multi30k";
  if (!fs::exists(folder)) GTEST_SKIP() << absent(folder);
  struct Part {
    const char* name;
    size_t pairs;
  };
  for (const Part& part : {Part{"train", 29000}, Part{"val", 1014}, Part{"test_2016_flickr", 1000}}) {
    const std::string name = part.name;
    const TextPairs pairs = read_pairs(folder / (name + ".en.gz"), folder / (name + ".de.gz"));
    EXPECT_EQ(pairs.source.size(), part.pairs) << name;
    EXPECT_EQ(pairs.target.size(), part.pairs) << name;
    EXPECT_EQ(pairs.skipped.count, 0) << name;
  }
  EXPECT_EQ(read_lines(folder / "train.de.gz").at(16509), "@@");
}

TEST(RealFiles, names_are_lines) {
  const fs::path folder = data_folder() / "text/names";
  if (!fs::exists(folder)) GTEST_SKIP() << absent(folder);
  const auto names = read_lines(folder / "names.txt");
  EXPECT_EQ(names.size(), 32033u);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 29494u);
}

}  // namespace
}  // namespace limpid
