#include "limpid/learning.h"

#include <filesystem>
#include <set>

#include "limpid/files.h"
#include "limpid/run_folder.h"

namespace limpid::command {

namespace {

// Of the part of an encoder-decoder that is shown; cross-attention has none.
std::vector<TrainingReport::Head> heads_of_part(std::vector<TrainingReport::Head> heads,
                                                const std::string& part) {
  std::erase_if(heads, [&](const TrainingReport::Head& head) {
    return part == "cross" || head.attention.starts_with("encoder.") != (part == "encoder");
  });
  return heads;
}

}  // namespace

std::vector<LearningStep> read_learning(const std::string& folder, int64_t text,
                                        const std::function<Trace(Trace)>& shown, const std::string& part) {
  std::error_code none;
  if (!std::filesystem::is_directory(folder, none))
    fail_work(folder, " is no folder; give the folder of a run: limpid draw learning FOLDER -o learning.svg");
  const RunFolder run(folder);
  std::vector<TrainingReport> reports = training_reports(read_file(run.log()));
  std::vector<LearningStep> out;
  std::set<int64_t> texts;
  for (const WatchedFile& file : run.watched()) {
    texts.insert(file.text);
    if (file.text != text) continue;
    for (const TrainingReport& report : reports) {
      const auto step = report.numbers.find("step");
      if (step == report.numbers.end() || static_cast<int64_t>(step->second) != file.step) continue;
      out.push_back({shown(load_trace(file.path)), report});
      out.back().report.heads = heads_of_part(report.heads, part);
    }
  }
  if (texts.empty())
    fail_work(folder,
              " holds no watched sentence; give the recipe \"watch\": [\"Life is short\"] and train again");
  if (out.empty())
    fail_call("--watched is ", text, ", and the run watched ",
              texts.size() == 1 ? "one sentence, 0" : join("the sentences 0 to ", *texts.rbegin()));
  return out;
}

}  // namespace limpid::command
