#include "limpid/run_folder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "limpid/files.h"
#include "train/event_file.h"
#include "train/run_lock.h"
#include "train/watched.h"

namespace limpid {

namespace {

namespace fs = std::filesystem;

constexpr const char* k_events = "events.out.tfevents.";
constexpr const char* k_watched = "watched";

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::vector<Scalar> scalars_of(const Epoch& e) {
  std::vector<Scalar> out;
  const auto add = [&](const std::string& tag, double value) {
    out.push_back({tag, static_cast<float>(value)});
  };
  add("loss/training", e.loss);
  if (e.validation) add("loss/held_out", *e.validation);
  if (!e.metrics.count("mse")) add("accuracy", e.accuracy);  // numbers are not right or wrong
  add("learning_rate", e.learning_rate);
  if (e.tokens_per_second > 0) add("tokens_per_second", e.tokens_per_second);
  for (const auto& [name, value] : e.metrics)
    if (name != "accuracy") add(name, value);
  return out;
}

// The newest events of a folder; empty where there are none.
std::string events_in(const std::string& folder) {
  std::string newest;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, none))
    if (const std::string name = entry.path().filename().string(); name.starts_with(k_events))
      newest = std::max(newest, name);
  return newest;
}

// Behind what the file holds, or not at all.
void append_whole(const std::string& path, const std::string& bytes) {
  std::error_code error;
  const auto before = fs::exists(path, error) ? fs::file_size(path, error) : 0;
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (file) return;
  if (fs::exists(path, error)) fs::resize_file(path, before, error);
  fail_work(path, ": cannot be written; is the disk full?");
}

// "500-0.safetensors"
std::optional<WatchedFile> watched_file(const fs::path& path) {
  if (path.extension() != ".safetensors") return std::nullopt;
  const std::string stem = path.stem().string();
  const size_t dash = stem.find('-');
  const auto number = [](const std::string& text) -> std::optional<int64_t> {
    if (text.empty() || text.size() > 15 || text.find_first_not_of("0123456789") != text.npos)
      return std::nullopt;
    return std::stoll(text);
  };
  if (dash == stem.npos) return std::nullopt;
  const auto step = number(stem.substr(0, dash)), text = number(stem.substr(dash + 1));
  if (!step || !text) return std::nullopt;
  return WatchedFile{*step, *text, path.string()};
}

}  // namespace

RunFolder::RunFolder(const std::string& path) : path_(path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail_work(path, ": the folder cannot be made: ", error.message());
}

std::string RunFolder::model() const { return (fs::path(path_) / "model.safetensors").string(); }
std::string RunFolder::checkpoint() const { return (fs::path(path_) / "checkpoint.safetensors").string(); }
std::string RunFolder::log() const { return (fs::path(path_) / "log.jsonl").string(); }
std::string RunFolder::figure() const { return (fs::path(path_) / "training.svg").string(); }
std::string RunFolder::lock() const { return (fs::path(path_) / "run.lock").string(); }
std::string RunFolder::watched(int64_t step, int64_t text) const {
  return (fs::path(path_) / k_watched / join(step, "-", text, ".safetensors")).string();
}

std::vector<WatchedFile> RunFolder::watched() const {
  std::vector<WatchedFile> out;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(path_) / k_watched, none))
    if (const auto file = watched_file(entry.path())) out.push_back(*file);
  std::sort(out.begin(), out.end(), [](const WatchedFile& a, const WatchedFile& b) {
    return std::pair(a.text, a.step) < std::pair(b.text, b.step);
  });
  return out;
}

void RunFolder::clear() const {
  std::error_code none;
  for (std::string name = events_in(path_); !name.empty(); name = events_in(path_))
    if (!fs::remove(fs::path(path_) / name, none)) fail_work(path_, "/", name, ": cannot be removed");
  for (const WatchedFile& file : watched()) fs::remove(file.path, none);
}

void RunFolder::hold(const std::string& command) { lock_ = std::make_shared<RunLock>(lock(), command); }

bool RunFolder::held() const { return RunLock::held(lock()); }

std::string RunFolder::command() const {
  std::error_code none;
  return fs::exists(lock(), none) ? read_file(lock()) : "";
}

void RunFolder::begin(Trainer& trainer) {
  if (!held()) hold("");
  if (trainer.history().empty()) return;
  go_on_with_events(trainer);
  add_events(trainer);
  write_watched(trainer);
}

void RunFolder::report(Trainer& trainer) {
  keep(trainer);
  add_events(trainer);
  write_watched(trainer);
}

void RunFolder::keep(const Trainer& trainer) const {
  trainer.save(checkpoint());
  std::string lines;
  for (const Epoch& epoch : trainer.history()) lines += to_json(epoch) + "\n";
  write_file_whole(log(), lines);
}

// What the file holds of later steps, or half of a record, goes.
void RunFolder::go_on_with_events(const Trainer& trainer) {
  events_ = events_in(path_);
  event_steps_.clear();
  if (events_.empty()) {
    events_ = join(k_events, static_cast<int64_t>(wall_time()), ".limpid");
    return;
  }
  const std::string path = (fs::path(path_) / events_).string(), file = read_file(path);
  const EventsRead held = read_events(file, trainer.steps_done());
  std::error_code error;
  if (held.bytes < file.size()) fs::resize_file(path, held.bytes, error);
  if (error) fail_work(path, ": cannot be cut to its whole records: ", error.message());
  event_steps_ = held.steps;
}

// The reports that the file lacks.
void RunFolder::add_events(const Trainer& trainer) {
  if (events_.empty()) go_on_with_events(trainer);
  const std::string path = (fs::path(path_) / events_).string();
  std::error_code none;
  std::vector<int64_t> added;
  std::string bytes;
  if (!fs::exists(path, none) || fs::file_size(path, none) == 0) bytes = event_version(wall_time());
  for (const Epoch& epoch : trainer.history()) {
    if (std::binary_search(event_steps_.begin(), event_steps_.end(), epoch.step)) continue;
    bytes += event_of(wall_time(), epoch.step, scalars_of(epoch));
    added.push_back(epoch.step);
  }
  append_whole(path, bytes);
  event_steps_.insert(event_steps_.end(), added.begin(), added.end());
}

void RunFolder::write_watched(Trainer& trainer) const {
  const std::vector<std::string>& texts = trainer.recipe().watch;
  if (texts.empty() || trainer.history().back().step != trainer.steps_done()) return;
  const Epoch& report = trainer.history().back();
  std::error_code error;
  const fs::path folder = fs::path(path_) / k_watched;
  fs::create_directories(folder, error);
  if (error) fail_work(folder.string(), ": the folder cannot be made: ", error.message());
  trainer.with_judged_model([&](const Model& model) {
    for (size_t i = 0; i < texts.size(); ++i)
      limpid::save(watched_trace(model, texts[i], report), watched(report.step, static_cast<int64_t>(i)));
  });
}

}  // namespace limpid
