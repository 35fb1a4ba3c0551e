// Whole words: tokens that a tokenizer made of one word, shown as that word.
#include <algorithm>

#include "core/label.h"
#include "core/utf8.h"
#include "limpid/trace.h"
#include "trace/reading.h"

namespace limpid {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// What may stand within a word: letters and digits (all that is not ASCII counts as letters), ' and -.
bool is_inner(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '\'' || c == '-';
}

// Whether the token goes on with the word of the one before it.
bool continues(const std::string& text, const Token& before, const Token& token) {
  if (token.begin >= token.end || before.begin >= before.end) return token.begin == before.begin;
  const char last = text[token.begin > 0 ? token.begin - 1 : 0], first = text[token.begin];
  if (is_space(last) || is_space(first)) return false;
  return is_inner(last) && is_inner(first);
}

// Tokens [first, end) that are one word.
struct Span {
  int64_t first = 0, end = 0;
};

std::vector<Span> words_of(const Trace& trace) {
  std::vector<Span> out;
  for (size_t i = 0; i < trace.tokens.size(); ++i) {
    const auto place = static_cast<int64_t>(i);
    if (i > 0 && continues(trace.text, trace.tokens[i - 1], trace.tokens[i]))
      out.back().end = place + 1;
    else
      out.push_back({place, place + 1});
  }
  return out;
}

// Where a word is looked at, the weights of its pieces are added; where it looks, they are averaged: rows add
// up to 1 as before.
Tensor merged_weights(const Tensor& pattern, const std::vector<Span>& words) {
  const Shape& shape = pattern.shape();  // [B,H,T,S]
  const auto count = static_cast<int64_t>(words.size());
  Tensor out(DType::f64, {shape[0], shape[1], {Axis::T, count}, {Axis::S, count}});
  const Tensor numbers = pattern.to(DType::f64);
  const int64_t T = shape[2].size, S = shape[3].size;
  for (int64_t bh = 0; bh < shape[0].size * shape[1].size; ++bh) {
    const double* cells = numbers.data<double>() + bh * T * S;
    double* to = out.data<double>() + bh * count * count;
    for (int64_t t = 0; t < count; ++t)
      for (int64_t s = 0; s < count; ++s) {
        const Span &query = words[static_cast<size_t>(t)], &key = words[static_cast<size_t>(s)];
        double sum = 0;
        for (int64_t i = query.first; i < query.end; ++i)
          for (int64_t j = key.first; j < key.end; ++j) sum += cells[i * S + j];
        to[t * count + s] = sum / static_cast<double>(query.end - query.first);
      }
  }
  return out;
}

// What is expected after the last piece of each word: [B,T,V].
Tensor last_rows(const Tensor& value, const std::vector<Span>& words) {
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
  const std::vector<Span> words = words_of(trace);
  Trace out = trace;
  out.values.clear();
  out.summaries.clear();
  out.tokens.clear();
  for (const Span& word : words) {
    const Token &first = trace.tokens[static_cast<size_t>(word.first)],
                &last = trace.tokens[static_cast<size_t>(word.end - 1)];
    std::string label = trace.text.substr(first.begin, last.end - first.begin);
    label.erase(0, std::min(label.find_first_not_of(' '), label.size()));  // words stand apart anyway
    out.tokens.push_back({first.id, label.empty() ? first.label : visible(label), first.begin, last.end});
  }
  out.token_word = "word";
  for (const auto& [name, tensor] : trace.values) {
    const Shape& shape = tensor.shape();
    if (name.ends_with(".attn.pattern") && shape.rank() == 4)
      out.values[name] = merged_weights(tensor, words);
    else if (name == "probs" && shape.rank() == 3 && shape[1].axis == Axis::T)
      out.values[name] = last_rows(tensor, words);
  }
  out.words_of_pieces = words.size() < trace.tokens.size();
  if (out.words_of_pieces)
    out.notes.push_back(
        join(trace.tokens.size(), " tokens are shown as ", words.size(),
             " words: the weights of a word's pieces are added where it is looked at and averaged where it "
             "looks; what is expected next is what its last piece expects"));
  return out;
}

}  // namespace limpid
