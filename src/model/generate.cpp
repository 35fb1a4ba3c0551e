// A text goes on, token by token.
#include <algorithm>

#include "model/impl.h"
#include "model/session.h"
#include "model/writer.h"

namespace limpid {

namespace {

Begun continued(const std::vector<int64_t>& tokens, const Tokenizer* tokenizer) {
  Begun out = {tokens, {}, {}, {}, {}};
  if (const auto end = tokenizer ? tokenizer->special_ids().eos : std::nullopt) out.ends.push_back(*end);
  return out;
}

// Networks whose last row says nothing of what comes next have no text to go on with.
void check_goes_on(const NetworkConfig& config) {
  const auto* parts = std::get_if<Architecture>(&config);
  if (!parts || reads_source(config) || predicts_next_token(config)) return;
  const std::string of = parts->family.empty() ? "this network" : parts->family;
  if (parts->head.kind == Head::masked_word)
    fail_call("generate: ", of,
              " predicts hidden words, not the next one (`limpid fill`); expected a decoder");
  fail_call("generate: ", of, " does not predict the next token; expected a decoder");
}

Begun beside(const std::vector<int64_t>& source, const Writing& writing) {
  return {{writing.start}, source, writing.first, writing.ends, writing.never};
}

}  // namespace

std::string Model::generate(const std::string& text, const GenerateOptions& options,
                            const std::function<void(const std::string&)>& on_token) const {
  return generate(text, options, std::function<void(const GeneratedToken&)>([&](const GeneratedToken& token) {
                    if (on_token) on_token(token.piece);
                  }));
}

std::string Model::generate(const std::string& text, const GenerateOptions& options,
                            const std::function<void(const GeneratedToken&)>& on_token) const {
  std::string written;
  generate(impl_->input_of(text, options.specials).ids, options, [&](const GeneratedToken& token) {
    written += token.piece;
    if (on_token) on_token(token);
  });
  return written;
}

namespace {

void check_options(const Model& model, const GenerateOptions& options) {
  check(options.sample);
  check_goes_on(model.config());
  if (options.tokens < 0) fail_call("generate: tokens is ", options.tokens, ", expected 0 or more");
  if (options.watch < 0) fail_call("generate: watch is ", options.watch, ", expected 0 or more");
  require_room_type("generate: cache_type", options.cache_type);
  if (options.cache_type != DType::f32 && !(options.cache && model.can_extend()))
    fail_call("generate: cache_type is ", name(options.cache_type), ", but ",
              options.cache ? "this network cannot keep keys and values"
                            : "no keys and values are kept; let cache be true",
              ", or leave cache_type f32");
  for (const std::string& stop : options.stop)
    if (stop.empty()) fail_call("generate: a stop string is empty; give at least one character");
  if (!options.stop.empty() && !model.tokenizer())
    fail_call("generate: stop strings need a tokenizer, and this model has none");
}

}  // namespace

TextWriter Model::Impl::writer(const std::vector<int64_t>& tokens, const GenerateOptions& options,
                               OnToken on_token) const {
  if (tokens.empty()) fail_call("generate: no tokens given; give at least one");
  Begun begun = reads_source(config) ? beside(tokens, writing()) : continued(tokens, tokenizer.get());
  begun.ends.insert(begun.ends.end(), options.ends.begin(), options.ends.end());
  // Beside a source a text does not go on from its latest tokens: it ends with the positions there are.
  int64_t most = options.tokens;
  if (!begun.source.empty()) most = std::min(most, context_of(config) - 1);
  return TextWriter(std::move(begun), tokenizer.get(), options, most, std::move(on_token));
}

std::vector<int64_t> Model::generate(const std::vector<int64_t>& tokens, const GenerateOptions& options,
                                     const std::function<void(const GeneratedToken&)>& on_token) const {
  check_options(*this, options);
  TextWriter writer = impl_->writer(tokens, options, on_token);
  write_alone(*this, writer, options);
  return writer.written();
}

// ---- several texts ---------------------------------------------------------------------------------

namespace {

// Texts that grow side by side, each in a row of keys and values of its own.
class TextBatch {
 public:
  TextBatch(const Model& model, std::vector<TextWriter>& writers, const GenerateOptions& options,
            int64_t at_once)
      : model_(model),
        writers_(writers),
        options_(options),
        context_(context_of(model.config())),
        state_(model, at_once, {}, options.cache_type),
        at_once_(static_cast<size_t>(at_once)) {}

  void run() {
    for (;;) {
      while (rows_.size() < at_once_ && next_ < writers_.size()) begin(next_++);
      if (rows_.empty()) return;
      step();
      end_rows();
    }
  }

 private:
  TextWriter& writer(size_t row) { return writers_[rows_[row]]; }

  // Reads what the text begins with, as it would be read alone.
  void begin(size_t text) {
    TextWriter& writer = writers_[text];
    if (writer.done()) return;
    const auto count = static_cast<int64_t>(writer.ids().size());
    if (count > context_) return write_alone(model_, writer, options_);
    const auto row = static_cast<int64_t>(rows_.size());
    state_.clear_row(row);
    give(writer, state_.extend_rows(row, Tensor::of<int64_t>({{Axis::B, 1}, {Axis::T, count}}, writer.ids())),
         0);
    if (writer.done()) return;
    rows_.push_back(text);
    end_rows();
  }

  // The next token of every row.
  void step() {
    std::vector<int64_t> latest;
    for (size_t row = 0; row < rows_.size(); ++row) latest.push_back(writer(row).ids().back());
    const Tensor logits = state_.extend_rows(
        0, Tensor::of<int64_t>({{Axis::B, static_cast<int64_t>(latest.size())}, {Axis::T, 1}}, latest));
    for (size_t row = 0; row < rows_.size(); ++row) give(writer(row), logits, static_cast<int64_t>(row));
  }

  static void give(TextWriter& writer, const Tensor& logits, int64_t row) {
    const int64_t vocabulary = logits.shape().size(Axis::V);
    const float* const first = logits.data<float>() + row * vocabulary;
    writer.take({first, first + vocabulary}, {});
  }

  // The last row takes the place of one that has ended, or that has outgrown the context.
  void end_rows() {
    for (size_t row = rows_.size(); row-- > 0;) {
      const bool outgrown = state_.length(static_cast<int64_t>(row)) == context_;
      if (!writer(row).done() && !outgrown) continue;
      const size_t text = rows_[row], last = rows_.size() - 1;
      if (row != last) state_.copy_row(static_cast<int64_t>(last), static_cast<int64_t>(row));
      rows_[row] = rows_[last];
      rows_.pop_back();
      if (!writers_[text].done()) write_alone(model_, writers_[text], options_);
    }
  }

  const Model& model_;
  std::vector<TextWriter>& writers_;
  const GenerateOptions& options_;
  int64_t context_;
  SessionState state_;
  size_t at_once_, next_ = 0;
  std::vector<size_t> rows_;  // which text a row is
};

}  // namespace

std::vector<std::vector<int64_t>> Model::generate_batch(
    const std::vector<std::vector<int64_t>>& texts, const GenerateOptions& options, int64_t at_once,
    const std::function<void(size_t text, const GeneratedToken&)>& on_token) const {
  check_options(*this, options);
  if (at_once < 1) fail_call("generate: at_once is ", at_once, ", expected at least 1");
  std::vector<TextWriter> writers;
  for (size_t i = 0; i < texts.size(); ++i)
    writers.push_back(impl_->writer(texts[i], options, [&on_token, i](const GeneratedToken& token) {
      if (on_token) on_token(i, token);
    }));
  if (options.cache && options.watch == 0 && can_extend() && !reads_source(config())) {
    const auto rows = std::min(at_once, static_cast<int64_t>(texts.size()));
    if (rows > 0) TextBatch(*this, writers, options, rows).run();
  } else {
    for (TextWriter& writer : writers) write_alone(*this, writer, options);
  }
  std::vector<std::vector<int64_t>> written;
  for (const TextWriter& writer : writers) written.push_back(writer.written());
  return written;
}

}  // namespace limpid
