// The data that a recipe names, read and parted.
#include <filesystem>
#include <set>

#include "limpid/files.h"
#include "train/task_data.h"

namespace limpid {

namespace {

namespace fs = std::filesystem;

// The byte where character number n starts (or the end).
size_t byte_of_character(const std::string& text, int64_t n) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if ((text[at] & 0xC0) == 0x80) continue;
    if (n-- == 0) break;
  }
  return at;
}

std::string in_folder(const std::string& folder, const std::string& file) {
  return folder.empty() ? file : folder + "/" + file;
}

// The files of one part, or none.
using Files = std::vector<std::string>;

void require_files(const Files& files, size_t least, size_t most, const char* what) {
  if (files.size() >= least && files.size() <= most) return;
  fail_call("train: ", files.size(), " files, expected ", what);
}

// ---- texts and images with their classes ------------------------------------------------------------

LabelledTexts labelled_texts(const Recipe& recipe, const Files& files,
                             const std::vector<std::string>& classes) {
  require_files(files, 1, 1, "one table of texts and classes for each part");
  LabelledTexts texts =
      read_labelled_texts(files[0], {.text = recipe.files.text, .label = recipe.files.label}, classes);
  return recipe.files.no_repeats ? without_repeats(texts) : texts;
}

LabelledImages labelled_images(const Recipe& recipe, const Files& files,
                               const std::vector<std::string>& classes) {
  if (files.size() == 1 && fs::is_directory(files[0])) {
    ImageFolderOptions options;
    if (const auto* parts = std::get_if<Architecture>(&recipe.network); parts && parts->patches) {
      options.height = parts->patches->height;
      options.width = parts->patches->width;
      options.channels = parts->patches->channels;
    }
    return read_image_folder(files[0], options, classes);
  }
  if (files.size() == 1 && !fs::exists(files[0]))
    fail_work(files[0], ": there is no such folder; expected one with a folder a class, or two IDX files");
  require_files(files, 2, 2,
                "two for each part, the images and their labels (IDX), or a folder with a folder a class");
  return read_idx(files[0], files[1], 0, classes);
}

LabelledTexts chosen(const LabelledTexts& from, const std::vector<size_t>& rows) {
  LabelledTexts out;
  out.classes = from.classes;
  for (const size_t i : rows) {
    out.texts.push_back(from.texts[i]);
    out.labels.push_back(from.labels[i]);
  }
  return out;
}

LabelledImages chosen(const LabelledImages& from, const std::vector<size_t>& rows) {
  const Shape& shape = from.images.shape();
  const int64_t size = shape[1].size * shape[2].size * shape[3].size;
  LabelledImages out;
  out.classes = from.classes;
  out.images =
      Tensor(DType::u8, {{Axis::B, static_cast<int64_t>(rows.size())}, shape[1], shape[2], shape[3]});
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(from.images.data<uint8_t>() + static_cast<int64_t>(rows[i]) * size, size,
                out.images.data<uint8_t>() + static_cast<int64_t>(i) * size);
    out.labels.push_back(from.labels[rows[i]]);
  }
  return out;
}

TextPairs chosen(const TextPairs& from, const std::vector<size_t>& rows) {
  TextPairs out;
  for (const size_t i : rows) {
    out.source.push_back(from.source[i]);
    out.target.push_back(from.target[i]);
  }
  return out;
}

size_t count_of(const LabelledTexts& from) { return from.labels.size(); }
size_t count_of(const LabelledImages& from) { return from.labels.size(); }
size_t count_of(const TextPairs& from) { return from.source.size(); }

// So much of what is learned from becomes a part of its own.
template <class Examples>
std::optional<Examples> take_share(Examples& training, double share, uint64_t seed, const char* stream) {
  const std::vector<size_t> rows = drawn_share(count_of(training), share, seed, stream);
  if (rows.empty()) return std::nullopt;
  const std::set<size_t> taken(rows.begin(), rows.end());
  std::vector<size_t> left;
  for (size_t i = 0; i < count_of(training); ++i)
    if (!taken.count(i)) left.push_back(i);
  if (left.empty())
    fail_call("train: ", count_of(training), " examples are too few to hold some of them out");
  Examples out = chosen(training, rows);
  SkippedRows skipped = std::move(training.skipped);
  training = chosen(training, left);
  training.skipped = std::move(skipped);
  return out;
}

// The parts that have files are read, the others drawn.
template <class Examples, class Read>
Parts<Examples> parted(const Recipe& recipe, const ExampleFiles& files, const Read& read) {
  Parts<Examples> out{read(files.training, nullptr), {}, {}};
  if (!files.test.empty()) out.test = read(files.test, &out.training);
  if (!files.held_out.empty()) out.held_out = read(files.held_out, &out.training);
  if (!out.test && files.test_share > 0)
    out.test = take_share(out.training, files.test_share, recipe.seed, "test");
  if (!out.held_out && recipe.validation > 0)
    out.held_out = take_share(out.training, recipe.validation, recipe.seed, "held_out");
  return out;
}

template <class Examples>
void note_skipped(const Examples& from, std::vector<std::string>& notes) {
  if (from.skipped.count == 0) return;
  std::string note =
      join(from.skipped.count, from.skipped.count == 1 ? " row was" : " rows were", " left out: ");
  for (size_t i = 0; i < from.skipped.first.size(); ++i) note += (i ? "; " : "") + from.skipped.first[i];
  if (from.skipped.count > static_cast<int64_t>(from.skipped.first.size())) note += "; ...";
  notes.push_back(note);
}

}  // namespace

std::vector<std::string> read_texts(const Recipe& recipe, const std::string& folder,
                                    const std::vector<std::string>& files) {
  std::vector<std::string> texts;
  for (const std::string& file : files) texts.push_back(read_file(file));
  if (!texts.empty()) return texts;
  for (const TextPart& part : recipe.data) {
    std::string text = read_file(in_folder(folder, part.file));
    text.erase(0, byte_of_character(text, part.skip));
    if (part.take > 0) text.erase(byte_of_character(text, part.take));
    texts.push_back(std::move(text));
  }
  if (texts.empty())
    fail_call("train: no text; give files (--data FILE), or list texts under \"data\" in the recipe");
  return texts;
}

TrainingData read_training_data(const Recipe& recipe, const std::string& folder,
                                const std::vector<std::string>& given) {
  if (recipe.task == Task::algorithm) return std::monostate{};
  if (recipe.task == Task::next_word) return read_texts(recipe, folder, given);
  ExampleFiles files = recipe.files;
  for (Files* part : {&files.training, &files.held_out, &files.test})
    for (std::string& file : *part) file = in_folder(folder, file);
  if (!given.empty()) {
    files.training = given;
    files.held_out = files.test = {};
  }
  if (files.training.empty())
    fail_call("train: no data; give files (--data FILE ...), or name them under \"data\" in the recipe");
  switch (recipe.task) {
    case Task::classes:
      return parted<LabelledTexts>(recipe, files, [&](const Files& part, const LabelledTexts* known) {
        return labelled_texts(recipe, part, known ? known->classes : std::vector<std::string>{});
      });
    case Task::images:
      return parted<LabelledImages>(recipe, files, [&](const Files& part, const LabelledImages* known) {
        return labelled_images(recipe, part, known ? known->classes : std::vector<std::string>{});
      });
    case Task::translation:
      return parted<TextPairs>(recipe, files, [&](const Files& part, const TextPairs*) {
        require_files(part, 1, 2, "the texts and their translations, or one table of both, for each part");
        return part.size() == 2 ? read_pairs(part[0], part[1]) : read_pairs(part[0]);
      });
    default:
      require_files(files.training, 1, 1, "one table of series");
      return read_series(files.training[0], {.columns = recipe.forecast.columns});
  }
}

std::vector<std::string> skipped_rows(const TrainingData& data) {
  std::vector<std::string> notes;
  const auto parts = [&](const auto& from) {
    note_skipped(from.training, notes);
    if (from.held_out) note_skipped(*from.held_out, notes);
    if (from.test) note_skipped(*from.test, notes);
  };
  if (const auto* texts = std::get_if<Parts<LabelledTexts>>(&data)) parts(*texts);
  if (const auto* images = std::get_if<Parts<LabelledImages>>(&data)) parts(*images);
  if (const auto* pairs = std::get_if<Parts<TextPairs>>(&data)) parts(*pairs);
  if (const auto* series = std::get_if<SeriesTable>(&data)) note_skipped(*series, notes);
  return notes;
}

}  // namespace limpid
