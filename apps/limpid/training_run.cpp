#include "limpid/training_run.h"

#include "core/label.h"
#include "limpid/files.h"
#include "limpid/input.h"
#include "limpid/train.h"

namespace limpid::command {

namespace fs = std::filesystem;

namespace {

// When the file was written; nothing where there is none.
std::optional<fs::file_time_type> time_of(const std::string& path) {
  std::error_code none;
  const fs::file_time_type time = fs::last_write_time(path, none);
  return none ? std::nullopt : std::optional(time);
}

RunFolder existing(const std::string& path) {
  if (!fs::is_directory(path)) fail_work("--run ", path, ": there is no such folder");
  RunFolder folder(path);
  if (!fs::exists(folder.log()))
    fail_work("--run ", path, ": it holds no log.jsonl, expected the folder of a training run");
  return folder;
}

}  // namespace

std::string name_of_file(const std::string& path) {
  const fs::path absolute = fs::absolute(path).lexically_normal();
  return visible_line((absolute.has_filename() ? absolute : absolute.parent_path()).filename().string());
}

bool is_training_run(const std::string& path) {
  std::error_code none;
  return fs::is_directory(path, none) && fs::exists(fs::path(path) / "log.jsonl", none);
}

TrainingRun::TrainingRun(const std::string& path) : folder_(existing(path)) {}

std::string TrainingRun::title() const { return name_of_file(folder_.path()); }
std::string TrainingRun::log() const { return read_file(folder_.log()); }

// The model is written when the last report has been.
bool TrainingRun::finished() const {
  const auto model = time_of(folder_.model()), log = time_of(folder_.log());
  return model && log && *model >= *log;
}

explore::TrainingProgress TrainingRun::progress() const {
  explore::TrainingProgress out;
  out.finished = finished() || !fs::exists(folder_.checkpoint());
  out.stopped = !out.finished && !folder_.held();
  try {
    const RunProgress done = checkpoint_progress(folder_.checkpoint());
    out.steps = done.steps;
    out.step = done.step;
    if (out.stopped) out.command = folder_.command();
  } catch (const Error&) {
    // A log by itself, or a checkpoint of another version.
  }
  // It may have ended between the two looks at it.
  if (out.stopped && finished()) out.finished = true, out.stopped = false;
  return out;
}

std::vector<explore::WatchedStep> TrainingRun::watched() const {
  std::vector<explore::WatchedStep> out;
  for (const WatchedFile& file : folder_.watched()) out.push_back({file.step, file.text});
  return out;
}

Trace TrainingRun::watched_trace(const explore::WatchedStep& asked) const {
  return load_trace(folder_.watched(asked.step, asked.text));
}

std::string TrainingRun::first_watched() const {
  const std::vector<explore::WatchedStep> all = watched();
  return all.empty() ? "" : watched_trace(all.front()).text;
}

std::string TrainingRun::model_file() const {
  const bool begun = fs::exists(folder_.checkpoint());
  return finished() || !begun ? folder_.model() : folder_.checkpoint();
}

bool TrainingRun::has_model() const { return fs::exists(model_file()); }

bool TrainingRun::model_changed() const {
  return model_file() != read_file_ || time_of(model_file()) != read_time_;
}

explore::Subject TrainingRun::subject(const std::string& text) {
  const std::string file = model_file();
  const auto time = time_of(file);
  explore::Subject out;
  if (file == folder_.checkpoint()) {
    out.model = std::make_shared<const Model>(checkpoint_model(file));
  } else {
    NetworkCall call;
    call.model = file;
    Model model = open_model(call);
    const bool files = reads_images(model.config()) || reads_series(model.config());
    if (!files || text.empty()) {  // without one it begins with a blank one
      out.model = std::make_shared<const Model>(std::move(model));
    } else {
      Input input = input_of_text(call, text);
      out = {std::make_shared<const Model>(std::move(input.model)), std::move(input.pixels), input.text};
    }
  }
  read_file_ = file;
  if (time) read_time_ = *time;
  return out;
}

}  // namespace limpid::command
