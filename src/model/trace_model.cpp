// What runs through a model and is recorded: a text, tokens, a text beside another, an image, a series.
#include <algorithm>

#include "core/label.h"
#include "model/impl.h"
#include "model/task_inputs.h"

namespace limpid {

namespace {

// Which rows the first word that stands several times reads, beside what a dictionary would keep.
std::string note_of_repeats(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    std::string rows;
    int64_t count = 0, last = 0;
    for (size_t i = 0; i < words.size(); ++i) {
      if (words[i] != word) continue;
      rows += join(rows.empty() ? "" : ", ", i);
      last = static_cast<int64_t>(i);
      ++count;
    }
    if (count > 1)
      return join("each occurrence of a word reads a row of its own: \"", visible(word), "\" the rows ", rows,
                  "; NumPy's usual program keeps a dictionary, in which the last index stays (", last, ")");
  }
  return "";
}

}  // namespace

namespace {

Token token_of(int64_t id, const Tokenizer* tokenizer) {
  return {id, tokenizer ? tokenizer->label(id) : std::to_string(id), 0, 0};
}

}  // namespace

// Tokens, and the text that they make; one of `unsaid` says nothing.
void Model::Impl::set_tokens(const std::vector<int64_t>& ids, std::optional<int64_t> unsaid,
                             Recorded& to) const {
  to.input = one_row(ids);
  std::optional<StreamDecoder> text;
  if (tokenizer) text.emplace(*tokenizer);
  for (int64_t id : ids) {
    Token token = token_of(id, tokenizer.get());
    token.begin = to.text.size();
    if (text && id != unsaid) to.text += text->push(id);
    token.end = to.text.size();
    to.tokens.push_back(std::move(token));
  }
  if (text) to.text += text->finish();
  to.tokens.back().end = to.text.size();
}

Trace Model::Impl::record_beside(Recorded recorded, const std::vector<int64_t>& source,
                                 const std::vector<int64_t>& target, const TraceOptions& options) const {
  if (target.empty()) fail_call("trace: the target is empty; give at least the token that texts begin with");
  recorded.source = one_row(source);
  set_tokens(target, tasks.writing ? std::optional(tasks.writing->start) : std::nullopt, recorded);
  return record(std::move(recorded), options);
}

Trace Model::trace(const std::vector<int64_t>& ids, const TraceOptions& options) const {
  if (has_towers(impl_->config)) return tower(Tower::texts).trace(ids, options);
  if (reads_images(impl_->config)) fail_call("this model reads images; give one instead of tokens");
  if (reads_series(impl_->config)) fail_call("this model reads series; give one instead of tokens");
  if (ids.empty()) fail_call("trace: no tokens given; give at least one");
  Impl::Recorded recorded;
  if (!reads_source(impl_->config)) {
    impl_->set_tokens(ids, std::nullopt, recorded);
    return impl_->record(std::move(recorded), options);
  }
  for (int64_t id : ids) recorded.source_tokens.push_back(token_of(id, impl_->source_tokenizer()));
  return impl_->record_beside(std::move(recorded), ids, target_of(ids, options), options);
}

// The text beside a source: the one given, or what the model writes itself.
std::vector<int64_t> Model::target_of(const std::vector<int64_t>& source, const TraceOptions& options) const {
  if (options.target) return *options.target;
  std::vector<int64_t> ids = {impl_->writing().start};
  const std::vector<int64_t> written = generate(source, GenerateOptions{});
  ids.insert(ids.end(), written.begin(), written.end());
  return ids;
}

namespace {

void require_input(const Tensor& given, const Shape& wanted, const char* what) {
  if (!given.shape().same_sizes(wanted) || !is_floating(given.dtype()))
    fail_call("trace: the ", what, " is ", name(given.dtype()), " ", given.shape().text(),
              ", expected real numbers ", wanted.text());
}

// What stands before the patches.
std::vector<Token> tokens_before(const std::vector<std::string>& names) {
  std::vector<Token> tokens;
  for (const std::string& name : names)
    tokens.push_back(
        {static_cast<int64_t>(tokens.size()), name == "cls_token" ? "[CLS]" : "[" + name + "]", 0, 0});
  return tokens;
}

std::vector<Token> patches_of(const PatchInputs& o) {
  std::vector<Token> tokens = tokens_before(o.tokens);
  for (int64_t y = 0; y < o.height / o.size; ++y)
    for (int64_t x = 0; x < o.width / o.size; ++x)
      tokens.push_back({static_cast<int64_t>(tokens.size()), join(y, ",", x), 0, 0});
  return tokens;
}

// Which moments: "24", "24-31", "3,27" or, of more that lie apart, "3,27..699".
std::string label_of_patch(const SeriesInputs& o, int64_t first) {
  const int64_t last = first + o.extent() - 1;
  if (o.size == 1) return std::to_string(first);
  if (o.apart == 1) return join(first, "-", last);
  return o.size == 2 ? join(first, ",", last) : join(first, ",", first + o.apart, "..", last);
}

std::vector<Token> patches_of(const SeriesInputs& o) {
  std::vector<Token> tokens = tokens_before(o.tokens);
  const int64_t first = (o.length - o.extent()) % o.stride;
  for (int64_t at = first; at + o.extent() <= o.length; at += o.stride)
    tokens.push_back({static_cast<int64_t>(tokens.size()), label_of_patch(o, at), 0, 0});
  return tokens;
}

}  // namespace

Trace Model::trace(const Tensor& input, const TraceOptions& options, const std::string& name_of_it) const {
  if (has_towers(impl_->config)) return tower(Tower::images).trace(input, options, name_of_it);
  if (reads_series(impl_->config)) {
    const SeriesInputs& o = *std::get<Architecture>(impl_->config).series;
    require_input(input, {{Axis::B, 1}, {Axis::X, o.length}, {Axis::K, o.channels}}, "series");
    return impl_->record({input, patches_of(o), name_of_it}, options);
  }
  if (!reads_images(impl_->config)) fail_call("trace: this network reads no images and no series");
  const PatchInputs& o = *std::get<Architecture>(impl_->config).patches;
  require_input(input, {{Axis::B, 1}, {Axis::K, o.channels}, {Axis::Y, o.height}, {Axis::X, o.width}},
                "image");
  return impl_->record({input, patches_of(o), name_of_it}, options);
}

Trace Model::trace(const std::string& text, const TraceOptions& options) const {
  if (has_towers(impl_->config)) return tower(Tower::texts).trace(text, options);
  if (impl_->vectors.count() > 0) {
    std::vector<Token> tokens;
    for (int64_t i = 0; i < impl_->vectors.shape()[1].size; ++i)
      tokens.push_back({i,
                        impl_->vector_names.empty() ? join("X", i + 1)
                                                    : visible(impl_->vector_names[static_cast<size_t>(i)]),
                        0, 0});
    return impl_->record({impl_->vectors, std::move(tokens)}, options);
  }
  if (!impl_->words.empty()) {
    // Each occurrence of a word is its own token, and reads its own row of the table: the one that is shown.
    const Encoding places = word_tokenizer_from(text)->encode_with_spans(text);
    if (places.ids.size() != impl_->words.size()) fail_call("trace: this walk is over another sentence");
    std::vector<Token> tokens;
    std::vector<int64_t> ids;
    for (size_t i = 0; i < impl_->words.size(); ++i) {
      tokens.push_back(
          {static_cast<int64_t>(i), visible(impl_->words[i]), places.spans[i].begin, places.spans[i].end});
      ids.push_back(static_cast<int64_t>(i));
    }
    Trace trace = impl_->record({one_row(ids), std::move(tokens), text}, options);
    if (const std::string note = note_of_repeats(impl_->words); !note.empty()) trace.notes.push_back(note);
    return trace;
  }
  const int64_t longest = options.longest > 0 ? options.longest : INT64_MAX;
  const ModelInput input = impl_->input_of(text, options.specials, longest);
  const Tokenizer& tokenizer = *impl_->source_tokenizer();
  std::vector<Token> tokens;
  for (size_t i = 0; i < input.ids.size(); ++i)
    tokens.push_back({input.ids[i], tokenizer.label(input.ids[i]), input.spans[i].begin, input.spans[i].end});
  name_split_characters(text, tokens);
  Trace trace;
  if (reads_source(impl_->config)) {
    Impl::Recorded recorded;
    recorded.source_tokens = std::move(tokens);
    recorded.source_text = text;
    trace = impl_->record_beside(std::move(recorded), input.ids, target_of(input.ids, options), options);
  } else {
    trace = impl_->record({one_row(input.ids), std::move(tokens), text}, options);
  }
  if (std::string note = note_of_unknown(tokenizer, text, input, "the text"); !note.empty())
    trace.notes.push_back(std::move(note));
  if (static_cast<int64_t>(input.ids.size()) == longest)
    if (const size_t all = encode(text, options.specials).ids.size(); all > input.ids.size())
      trace.notes.push_back(join("the text was cut from ", all, " tokens to ", input.ids.size(),
                                 ", the most that are read of one"));
  return trace;
}

}  // namespace limpid
