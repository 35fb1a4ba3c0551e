#include "limpid/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/width.h"
#include "limpid/error.h"

namespace limpid::command {

namespace {

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, pattern, values...);
  return buffer;
}

// 1,234,567
std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

// `share` of `columns`, to an eighth of a column, padded.
std::string bar(double share, int columns) {
  static const char* const k_eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (!std::isfinite(share)) share = 1;
  const int eighths = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * columns * 8));
  std::string out;
  for (int i = 0; i < eighths / 8; ++i) out += "█";
  out += k_eighths[eighths % 8];
  return pad_to_width(out, static_cast<size_t>(columns));
}

// 45 s, 3 min 20 s, 2 h 5 min
std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 60) return join(whole, " s");
  if (whole < 3600) return join(whole / 60, " min ", whole % 60, " s");
  return join(whole / 3600, " h ", whole % 3600 / 60, " min");
}

constexpr int k_bar = 10;  // columns of a row's loss bar
constexpr const char* k_faint = "\x1b[2m";
constexpr const char* k_good = "\x1b[32m";
constexpr const char* k_plain = "\x1b[0m";

}  // namespace

namespace {

std::string count_of(int64_t count, const char* what) { return join(grouped(count), " ", what); }

template <class Examples, class Count>
std::string parts_of(const Parts<Examples>& from, const char* what, const Count& count) {
  std::string out = count_of(count(from.training), what) + " to learn from";
  if (from.held_out) out += join(", ", grouped(count(*from.held_out)), " held out");
  if (from.test) out += join(", ", grouped(count(*from.test)), " to test on");
  return out;
}

// What is learned from, and how much of it.
std::string data_text(const Recipe& r, const TrainingData& data) {
  const auto labels = [](const auto& from) { return static_cast<int64_t>(from.labels.size()); };
  if (const auto* texts = std::get_if<std::vector<std::string>>(&data)) {
    size_t bytes = 0;
    for (const std::string& text : *texts) bytes += text.size();
    return join(grouped(static_cast<int64_t>(bytes)), " bytes of text, ",
                r.validation > 0 ? format("%.0f%% held out", r.validation * 100) : "nothing held out");
  }
  if (const auto* texts = std::get_if<Parts<LabelledTexts>>(&data))
    return parts_of(*texts, "texts", labels) + join(" (", texts->training.classes.size(), " classes)");
  if (const auto* images = std::get_if<Parts<LabelledImages>>(&data))
    return parts_of(*images, "images", labels) + join(" (", images->training.classes.size(), " classes)");
  if (const auto* pairs = std::get_if<Parts<TextPairs>>(&data))
    return parts_of(*pairs, "pairs of texts",
                    [](const TextPairs& from) { return static_cast<int64_t>(from.source.size()); });
  if (const auto* series = std::get_if<SeriesTable>(&data))
    return join(grouped(series->values.shape()[0].size), " rows of ", series->columns.size(),
                series->columns.size() == 1 ? " column" : " columns", "; ", r.forecast.horizon, " rows from ",
                r.forecast.look_back, " before");
  return join("sequences to ", r.algorithm.kind, ", as many as are asked for");
}

std::string steps_text(const Recipe& r) {
  if (r.task == Task::next_word && r.examples == Examples::lines)
    return join(grouped(r.steps), " steps, one line each");
  const std::string times = r.accumulate > 1 ? join(r.accumulate, " x ") : "";
  if (r.task == Task::next_word)
    return join(grouped(r.steps), " steps of ", times, r.batch, " x ", r.context, " tokens");
  return join(grouped(r.steps), " steps of ", times, r.batch, " examples");
}

}  // namespace

std::string heading_of(const Trainer& trainer, const TrainingData& data, bool resumed) {
  const Recipe& r = trainer.recipe();
  const Model& model = const_cast<Trainer&>(trainer).model();
  std::string out = (r.title.empty() ? std::string("training") : tame(r.title)) + "\n";
  out += join(grouped(model.parameter_count()), " parameters");
  if (const Tokenizer* tokenizer = model.tokenizer())
    out += join(", ", grouped(tokenizer->vocabulary()), " ",
                tokenizer->kind() == "bpe" ? "tokens (bpe)" : tokenizer->kind());
  out += (r.task == Task::next_word ? "; " : "\n") + data_text(r, data) + "\n" + steps_text(r);
  if (resumed) out += join(", going on after step ", grouped(trainer.steps_done()));
  return out + "\n\n";
}

std::string summary_of(const Trainer::Evaluation& seen, const Recipe& r, const std::string& of) {
  const std::string head = pad_to_width(of, 16);
  if (r.task == Task::forecast)
    return head + format("squared error %.4f, absolute %.4f over %s windows\n", seen.metrics.at("mse"),
                         seen.metrics.at("mae"), grouped(seen.examples).c_str());
  if (r.task == Task::classes || r.task == Task::images) {
    std::string out =
        head + format("%.2f%% right of %s", seen.accuracy * 100, grouped(seen.examples).c_str());
    if (const auto f1 = seen.metrics.find("f1"); f1 != seen.metrics.end())
      out += format(", F1 %.4f", f1->second);
    return out + format(", loss %.4f nats\n", seen.loss);
  }
  std::string out = head + format("%.4f nats a token", seen.loss);
  if (seen.characters > 0) out += format(", %.4f a character", seen.loss_per_character());
  out += format("; %.1f%% of %s tokens right", seen.accuracy * 100, grouped(seen.tokens).c_str());
  if (r.task == Task::algorithm)
    out += format(", %.2f%% of the answers whole", seen.metrics.at("whole") * 100);
  return out + "\n";
}

Progress::Progress(const Terminal& terminal, const Trainer& trainer)
    : terminal_(terminal), trainer_(&trainer), first_step_(trainer.steps_done()) {}

void Progress::begin() {
  const bool held_out = trainer_->history().empty() ? trainer_->recipe().validation > 0
                                                    : trainer_->history().front().validation.has_value();
  std::string head = "epoch     step    loss             ";
  head += numbers() ? "mean error" : "right";
  if (held_out) head += "  held out";
  print(head + "  tokens/s\n");
  for (const Epoch& epoch : trainer_->history()) print(row_text(epoch));
  flush_output();
}

std::string Progress::row_text(const Epoch& e) const {
  const std::vector<Epoch>& history = trainer_->history();
  const double first =
      history.empty() ? e.loss : history.front().loss;  // a full bar is the first epoch's loss
  std::string out =
      format("%5lld %8lld %7.4f  ", static_cast<long long>(e.number), static_cast<long long>(e.step), e.loss);
  out += bar(e.loss / first, k_bar);
  out += numbers() ? format("    %7.4f", e.metrics.at("mae")) : format(" %5.1f%%", e.accuracy * 100);
  if (e.validation) out += format("  %8.4f", *e.validation);
  out += format("  %8.0f", e.tokens_per_second);
  const bool fits = !terminal_.output || display_width(out) + 2 + display_width(e.observation) <=
                                             static_cast<size_t>(terminal_.columns);
  out += fits ? "  " : "\n      ";
  const char* ink = e.best ? k_good : k_faint;
  out += terminal_.colour ? ink + e.observation + k_plain : e.observation;
  return out + "\n";
}

bool Progress::numbers() const { return trainer_->recipe().task == Task::forecast; }

void Progress::row(const Epoch& epoch) {
  end();
  print(row_text(epoch));
  for (const std::string& line : new_kinds(trainer_->history())) print("      " + line + "\n");
  flush_output();
}

void Progress::step(double loss) {
  if (!terminal_.progress) return;
  const auto now = Clock::now();
  if (now - drawn_ < std::chrono::milliseconds(100)) return;
  drawn_ = now;
  draw_bar(loss);
}

void Progress::draw_bar(double loss) {
  const Recipe& r = trainer_->recipe();
  const int64_t done = trainer_->steps_done();
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = static_cast<double>(done - first_step_) / std::max(1e-9, seconds);
  std::string facts =
      format("  step %s of %s  loss %.4f", grouped(done).c_str(), grouped(r.steps).c_str(), loss);
  if (r.task == Task::next_word && r.examples == Examples::stream)
    facts += format("  %.0f tokens/s", rate * static_cast<double>(r.batch * r.context));
  facts += "  " + duration(static_cast<double>(r.steps - done) / std::max(1e-9, rate)) + " left";
  const int room = std::clamp(terminal_.columns - 1 - static_cast<int>(facts.size()), 0, 30);
  const std::string line = bar(static_cast<double>(done) / static_cast<double>(r.steps), room) + facts;
  std::fprintf(stderr, "\r\x1b[K%s",
               clip_to_width(line, static_cast<size_t>(std::max(1, terminal_.columns - 1))).c_str());
  std::fflush(stderr);
  shown_ = true;
}

void Progress::end() {
  if (!shown_) return;
  std::fprintf(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace limpid::command
