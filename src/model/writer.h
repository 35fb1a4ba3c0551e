// A text that is being written, and what comes before its first token.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "limpid/model.h"
#include "limpid/random.h"
#include "limpid/text.h"
#include "model/look.h"
#include "model/sample.h"

namespace limpid {

/// Where a text stands when the model takes over, and where it ends.
struct Begun {
  std::vector<int64_t> ids;      // what the decoder reads
  std::vector<int64_t> source;   // what an encoder-decoder writes beside
  std::optional<int64_t> first;  // the token that comes next in any case
  std::vector<int64_t> ends, never;
};

using OnToken = std::function<void(const GeneratedToken&)>;

/// Takes the logits after the latest token, and chooses the next, until the text ends.
class TextWriter {
 public:
  /// `most`: tokens to write; the tokenizer may be none.
  TextWriter(Begun, const Tokenizer*, const GenerateOptions&, int64_t most, OnToken);
  TextWriter(TextWriter&&) = default;

  bool done() const { return done_; }
  void take(std::vector<float> logits, const std::vector<HeadLook>& looks);
  /// All tokens so far, and those that were written.
  const std::vector<int64_t>& ids() const { return begun_.ids; }
  std::vector<int64_t> written() const;
  const std::vector<int64_t>& source() const { return begun_.source; }

 private:
  Begun begun_;
  const GenerateOptions* options_;
  OnToken on_token_;
  Random random_;
  StopStrings stops_;
  std::optional<StreamDecoder> text_;
  size_t given_;
  int64_t most_, count_ = 0;
  bool done_;
};

/// The logits after the tokens of a text, of which only the latest are read where it outgrew the context.
class NextLogits {
 public:
  /// `source`: what an encoder-decoder writes beside, else nothing.
  NextLogits(const Model&, const std::vector<int64_t>& source, const GenerateOptions&);

  std::vector<float> operator()(const std::vector<int64_t>& ids);

  /// Where every head looked, with GenerateOptions::watch.
  std::vector<HeadLook> looks;

 private:
  std::vector<float> whole(const std::vector<int64_t>& seen, int64_t first);

  const Model& model_;
  const std::vector<int64_t>& source_;
  const GenerateOptions& options_;
  int64_t context_;
  std::optional<Session> session_;
  bool slides_ = false;
};

/// Writes a text to its end.
void write_alone(const Model&, TextWriter&, const GenerateOptions&);

}  // namespace limpid
