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

std::string heading_of(const Trainer& trainer, const std::vector<std::string>& texts, bool resumed) {
  const Recipe& r = trainer.recipe();
  const Model& model = const_cast<Trainer&>(trainer).model();
  size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  std::string out = (r.title.empty() ? std::string("training") : tame(r.title)) + "\n";
  out += join(grouped(model.parameter_count()), " parameters, ", grouped(model.tokenizer()->vocabulary()),
              " ", model.tokenizer()->kind() == "bpe" ? "tokens (bpe)" : model.tokenizer()->kind(), "; ",
              grouped(static_cast<int64_t>(bytes)), " bytes of text, ");
  out += r.validation > 0 ? format("%.0f%% held out\n", r.validation * 100) : "nothing held out\n";
  out += r.examples == Examples::lines
             ? join(grouped(r.steps), " steps, one line each")
             : join(grouped(r.steps), " steps of ", r.batch, " x ", r.context, " tokens");
  if (resumed) out += join(", going on after step ", grouped(trainer.steps_done()));
  return out + "\n\n";
}

std::string summary_of(const Trainer::Evaluation& seen, const Recipe& r) {
  return format(
      "\n%s   %.4f nats a token, %.4f a character\nright           %.1f%% of %s tokens (%s characters)\n",
      r.validation > 0 ? "held-out loss" : "loss         ", seen.loss, seen.loss_per_character(),
      seen.accuracy * 100, grouped(seen.tokens).c_str(), grouped(seen.characters).c_str());
}

Progress::Progress(const Terminal& terminal, const Trainer& trainer)
    : terminal_(terminal), trainer_(&trainer), first_step_(trainer.steps_done()) {}

void Progress::begin() {
  const bool held_out = trainer_->recipe().validation > 0;
  std::string head = "epoch     step    loss             right";
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
  out += format(" %5.1f%%", e.accuracy * 100);
  if (e.validation) out += format("  %8.4f", *e.validation);
  out += format("  %8.0f", e.tokens_per_second);
  const bool fits = !terminal_.output || display_width(out) + 2 + display_width(e.observation) <=
                                             static_cast<size_t>(terminal_.columns);
  out += fits ? "  " : "\n      ";
  const char* ink = e.best ? k_good : k_faint;
  out += terminal_.colour ? ink + e.observation + k_plain : e.observation;
  return out + "\n";
}

void Progress::row(const Epoch& epoch) {
  end();
  print(row_text(epoch));
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
  if (r.examples == Examples::stream)
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
