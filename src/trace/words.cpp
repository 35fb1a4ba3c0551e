// Whole words: tokens that a tokenizer made of one word, shown as that word.
#include <algorithm>

#include "core/label.h"
#include "core/utf8.h"
#include "limpid/trace.h"
#include "trace/reading.h"
#include "trace/word_spans.h"

namespace limpid {

namespace {

// Where a word is looked at, the weights of its pieces are added; where it looks, they are averaged: rows add
// up to 1 as before.
Tensor merged_weights(const Tensor& pattern, const std::vector<WordSpan>& queries,
                      const std::vector<WordSpan>& keys) {
  const Shape& shape = pattern.shape();  // [B,H,T,S]
  const auto rows = static_cast<int64_t>(queries.size()), columns = static_cast<int64_t>(keys.size());
  Tensor out(DType::f64, {shape[0], shape[1], {Axis::T, rows}, {Axis::S, columns}});
  const Tensor numbers = pattern.to(DType::f64);
  const int64_t T = shape[2].size, S = shape[3].size;
  for (int64_t bh = 0; bh < shape[0].size * shape[1].size; ++bh) {
    const double* cells = numbers.data<double>() + bh * T * S;
    double* to = out.data<double>() + bh * rows * columns;
    for (int64_t t = 0; t < rows; ++t)
      for (int64_t s = 0; s < columns; ++s) {
        const WordSpan &query = queries[static_cast<size_t>(t)], &key = keys[static_cast<size_t>(s)];
        double sum = 0;
        for (int64_t i = query.first; i < query.end; ++i)
          for (int64_t j = key.first; j < key.end; ++j) sum += cells[i * S + j];
        to[t * columns + s] = sum / static_cast<double>(query.count());
      }
  }
  return out;
}

// What is expected after the last piece of each word: [B,T,V].
Tensor last_rows(const Tensor& value, const std::vector<WordSpan>& words) {
  Shape shape = value.shape();
  shape[1].size = static_cast<int64_t>(words.size());
  Tensor out(value.dtype(), shape);
  const size_t row = value.bytes() /
                     static_cast<size_t>(std::max<int64_t>(1, value.shape()[0].size * value.shape()[1].size));
  for (int64_t b = 0; b < shape[0].size; ++b)
    for (size_t i = 0; i < words.size(); ++i)
      std::copy_n(static_cast<const std::byte*>(value.raw()) +
                      static_cast<size_t>(b * value.shape()[1].size + words[i].end - 1) * row,
                  row,
                  static_cast<std::byte*>(out.raw()) + (static_cast<size_t>(b) * words.size() + i) * row);
  return out;
}

int64_t places(const std::vector<Token>& tokens) { return static_cast<int64_t>(tokens.size()); }

// One token a word.
std::vector<Token> tokens_of(const std::vector<WordSpan>& words, const std::vector<Token>& tokens) {
  std::vector<Token> out;
  for (const WordSpan& word : words)
    out.push_back({tokens[static_cast<size_t>(word.first)].id, word.label, word.text_begin, word.text_end});
  return out;
}

}  // namespace

void name_split_characters(const std::string& text, std::vector<Token>& tokens) {
  const auto inside = [&](size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  for (size_t i = 0; i < tokens.size();) {
    size_t end = i + 1;
    while (end < tokens.size() && inside(tokens[end].begin)) ++end;  // what begins within a character
    if (end - i > 1 && tokens[end - 1].end <= text.size()) {
      const std::string whole = text.substr(tokens[i].begin, tokens[end - 1].end - tokens[i].begin);
      if (is_utf8(whole))
        for (size_t j = i; j < end; ++j) tokens[j].label = join(visible(whole), " ", j - i + 1, "/", end - i);
    }
    i = end;
  }
}

std::vector<Observation> word_reads(const Graph& graph) {
  std::vector<Observation> out;
  for (const Value& value : graph.values())
    if (value.kind == Value::Kind::input || value.name.ends_with(".attn.pattern") || value.name == "probs")
      out.push_back({value.name, Depth::full});
  return out;
}

Trace in_words(const Trace& trace) {
  if (trace.text.empty() || !trace.graph || of_image(trace))
    fail_call("words: this trace is not of a text, so there are no words to show its tokens as");
  if (trace.token_word == "word") return trace;
  const std::vector<WordSpan> words = words_of(trace.text, trace.tokens),
                              keys = trace.keys.empty() ? words : words_of(trace.source_text, trace.keys);
  Trace out = trace;
  out.values.clear();
  out.summaries.clear();
  out.tokens = tokens_of(words, trace.tokens);
  if (!trace.keys.empty()) out.keys = tokens_of(keys, trace.keys);
  out.token_word = "word";
  for (const auto& [name, tensor] : trace.values) {
    const Shape& shape = tensor.shape();
    if (name.ends_with(".attn.pattern") && shape.rank() == 4 && shape[2].size == places(trace.tokens) &&
        shape[3].size == places(trace.keys.empty() ? trace.tokens : trace.keys))
      out.values[name] = merged_weights(tensor, words, keys);
    else if (name == "probs" && shape.rank() == 3 && shape[1].axis == Axis::T &&
             shape[1].size == places(trace.tokens))
      out.values[name] = last_rows(tensor, words);
  }
  out.words_of_pieces = words.size() < trace.tokens.size() || keys.size() < trace.keys.size();
  if (out.words_of_pieces)
    out.notes.push_back(
        join(trace.tokens.size() + trace.keys.size(), " tokens are shown as ",
             words.size() + (trace.keys.empty() ? 0 : keys.size()),
             " words: the weights of a word's pieces are added where it is looked at and averaged where it "
             "looks; what is expected next is what its last piece expects"));
  return out;
}

}  // namespace limpid
