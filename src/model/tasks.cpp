// A text's vector, and its hidden words.
#include "limpid/tasks.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/label.h"
#include "model/task_inputs.h"

namespace limpid {

// ---- vectors of texts ----------------------------------------------------------------------------

namespace {

// rows [tokens, width] -> one row.
void pool_rows(const float* rows, int64_t tokens, int64_t width, Pooling pooling, float* out) {
  for (int64_t c = 0; c < width; ++c) {
    const auto at = [&](int64_t t) { return rows[t * width + c]; };
    if (pooling == Pooling::mean) {
      double sum = 0;
      for (int64_t t = 0; t < tokens; ++t) sum += at(t);
      out[c] = static_cast<float>(sum / static_cast<double>(tokens));
    } else if (pooling == Pooling::max) {
      float most = at(0);
      for (int64_t t = 1; t < tokens; ++t) most = std::max(most, at(t));
      out[c] = most;
    } else {
      out[c] = at(pooling == Pooling::last ? tokens - 1 : 0);
    }
  }
}

double length_of(const float* row, int64_t width) {
  double sum = 0;
  for (int64_t c = 0; c < width; ++c) sum += static_cast<double>(row[c]) * row[c];
  return std::sqrt(sum);
}

// To length 1; a row of zeros stays one.
void scale_to_one(float* row, int64_t width) {
  const double length = length_of(row, width);
  if (length == 0) return;
  for (int64_t c = 0; c < width; ++c) row[c] = static_cast<float>(row[c] / length);
}

}  // namespace

namespace {

constexpr const char *k_own_vector = "embedding", *k_last = "last_hidden_state";

// Whether the network ends in a vector, and no other is asked for.
bool has_own_vector(const Model& model, const EmbedOptions& options) {
  return !options.pooling && model.graph().find(k_own_vector) >= 0;
}

// The vector of text or image i out of its rows; out.tokens says how many these are.
void add_vector(Embeddings& out, size_t i, const float* rows, int64_t width, const std::string& name) {
  const auto count = static_cast<int64_t>(out.tokens.size());
  if (out.vectors.count() == 0) out.vectors = Tensor(DType::f32, {{Axis::B, count}, {Axis::C, width}});
  // Of every token: the largest of some numbers hides a NaN among them.
  const int64_t count_of_rows = out.own ? 1 : out.tokens[i];
  require_finite(rows, count_of_rows * width, "the last hidden state of " + name);
  float* const row = out.vectors.data<float>() + static_cast<int64_t>(i) * width;
  pool_rows(rows, count_of_rows, width, out.own ? Pooling::cls : out.pooling, row);
  if (out.normalized) scale_to_one(row, width);
  require_finite(row, width, "the vector of " + name);
}

}  // namespace

Embeddings embed(const Model& model, const std::vector<std::string>& texts, const EmbedOptions& options) {
  if (has_towers(model.config())) return embed(model.tower(Tower::texts), texts, options);
  if (model.graph().find("last_hidden_state") < 0)
    fail_call("this network has no last hidden state that a text's vector could be made of");
  const ModelTasks& said = model.tasks();
  if (!options.pooling && !said.pooling_problem.empty())
    fail_call("how this model makes a text's vector: ", said.pooling_problem,
              "; choose a pooling (mean, cls, max, last) to have another vector all the same");
  const TaskInputs inputs = task_inputs(model, texts);
  Embeddings out;
  out.own = has_own_vector(model, options);
  out.pooling = options.pooling.value_or(said.pooling.value_or(Pooling::mean));
  out.normalized = options.normalize.value_or(said.normalize);
  out.notes = inputs.notes;
  for (const ModelInput& text : inputs.texts) out.tokens.push_back(static_cast<int64_t>(text.ids.size()));
  const auto each = [&](size_t i, const float* rows, int64_t width) {
    add_vector(out, i, rows, width, text_name(i, texts.size()));
  };
  run_texts(model, inputs.texts, out.own ? k_own_vector : k_last, options.run, each);
  return out;
}

Embeddings embed_images(const Model& model, const std::vector<ImageSource>& images,
                        const EmbedOptions& options) {
  if (has_towers(model.config())) return embed_images(model.tower(Tower::images), images, options);
  require_images(model, images);
  const PatchInputs& patches = *std::get<Architecture>(model.config()).patches;
  const bool has_class = !patches.tokens.empty() && patches.tokens.front() == "cls_token";
  Embeddings out;
  out.pooling = options.pooling.value_or(has_class ? Pooling::cls : Pooling::mean);
  out.normalized = options.normalize.value_or(false);
  out.tokens.assign(images.size(), patches.count());
  out.own = has_own_vector(model, options);
  run_images(
      model, images, out.own ? k_own_vector : k_last, options.run,
      [&](size_t i, const float* rows, int64_t width) { add_vector(out, i, rows, width, images[i].name); });
  return out;
}

Tensor cosines(const ConstView& vectors) {
  if (vectors.shape().rank() != 2)
    fail_call("cosines: the vectors are ", vectors.shape().text(), ", expected one row a vector");
  const Tensor rows = Tensor::copy_of(vectors).to(DType::f64);
  const int64_t count = rows.shape()[0].size, width = rows.shape()[1].size;
  const auto dot = [&](int64_t i, int64_t j) {
    const double *a = rows.data<double>() + i * width, *b = rows.data<double>() + j * width;
    return std::inner_product(a, a + width, b, 0.0);
  };
  std::vector<double> lengths;
  for (int64_t i = 0; i < count; ++i) lengths.push_back(std::sqrt(dot(i, i)));
  Tensor out(DType::f64, Shape::unnamed({count, count}));
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      const double both = lengths[static_cast<size_t>(i)] * lengths[static_cast<size_t>(j)];
      const double cosine = both == 0 ? 0 : std::clamp(dot(i, j) / both, -1.0, 1.0);
      out.data<double>()[i * count + j] = out.data<double>()[j * count + i] = cosine;
    }
  return out;
}

// ---- hidden words --------------------------------------------------------------------------------

namespace {

constexpr std::string_view k_mask = "[MASK]";

int64_t mask_of(const Model& model) {
  const auto* parts = std::get_if<Architecture>(&model.config());
  if (!parts || parts->head.kind != Head::masked_word)
    fail_call("this model predicts no hidden words",
              predicts_next_token(model.config()) ? ", but the next one of a text (`limpid generate`)" : "",
              "; give one that was trained on them, such as BERT's with its cls.predictions tensors");
  if (!model.tokenizer())
    fail_call("this model has no tokenizer; give it one: --tokenizer FILE, or LoadOptions::tokenizer");
  const auto mask = model.tokenizer()->special_ids().mask;
  if (!mask) fail_call("this model's tokenizer has no token for a hidden word");
  return *mask;
}

// The `top` likeliest; of equal ones the smaller id first.
std::vector<TokenGuess> guesses_of(const Tokenizer& tokenizer, const float* logits, int64_t count,
                                   int64_t top) {
  const std::vector<double> probabilities = softmax_of(logits, count);
  std::vector<int64_t> ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), int64_t{0});
  const auto kept = ids.begin() + static_cast<std::ptrdiff_t>(std::min(top, count));
  std::partial_sort(ids.begin(), kept, ids.end(), [&](int64_t a, int64_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  std::vector<TokenGuess> out;
  for (auto id = ids.begin(); id != kept; ++id)
    out.push_back({*id, *id < tokenizer.vocabulary() ? tokenizer.label(*id) : join("<", *id, ">"),
                   probabilities[static_cast<size_t>(*id)]});
  return out;
}

FilledText fill_one(const Model& model, const std::string& given, int64_t mask, const std::string& named,
                    const FillOptions& options) {
  const Tokenizer& tokenizer = *model.tokenizer();
  FilledText out;
  out.text = with_own_mask(model, given);
  const ModelInput input = model.encode(out.text, Specials::mask_as_token);
  const std::string written = visible(tokenizer.token_bytes(mask));
  Observation rows{"logits", Depth::rows, 0, {}};
  for (size_t i = 0; i < input.ids.size(); ++i) {
    if (input.ids[i] != mask || input.text_of[i] < 0) continue;
    rows.places.push_back(static_cast<int64_t>(i));
    out.masks.push_back({static_cast<int64_t>(i), input.spans[i], {}});
  }
  if (out.masks.empty())
    fail_call("there is no mask in ", in_quotes(given), "; write ", written,
              written == k_mask ? "" : " or [MASK]", " where a word is hidden");
  if (const int64_t longest = longest_text(model); static_cast<int64_t>(input.ids.size()) > longest)
    fail_call("the text has ", input.ids.size(), " tokens, and the model reads ", longest,
              " at a time; give a shorter one");
  if (std::string note = note_of_unknown(tokenizer, out.text, input, named); !note.empty())
    out.notes.push_back(std::move(note));
  RunOptions run;
  run.observe = {rows};
  const RunResult result = model.run(TokenBatch{{input.ids}, {}}, run);
  const Tensor& logits = result["logits@rows"];  // [1,N,V]
  const int64_t vocabulary = logits.shape().size(Axis::V);
  std::vector<int64_t> ids = input.ids;
  for (size_t n = 0; n < out.masks.size(); ++n) {
    const float* const row = logits.data<float>() + static_cast<int64_t>(n) * vocabulary;
    require_finite(row, vocabulary, join("what the model says at token ", out.masks[n].token));
    out.masks[n].guesses = guesses_of(tokenizer, row, vocabulary, options.top);
    if (const int64_t best = out.masks[n].guesses[0].id; best < tokenizer.vocabulary())
      ids[static_cast<size_t>(out.masks[n].token)] = best;
  }
  std::vector<int64_t> own;
  for (size_t i = 0; i < ids.size(); ++i)
    if (input.text_of[i] >= 0) own.push_back(ids[i]);
  out.filled = tokenizer.decode(own);
  return out;
}

}  // namespace

std::string with_own_mask(const Model& model, const std::string& text) {
  const std::string own = model.tokenizer()->token_bytes(mask_of(model));
  std::string out;
  size_t at = 0;
  for (size_t found; (found = text.find(k_mask, at)) != text.npos; at = found + k_mask.size())
    out += text.substr(at, found - at) + own;
  return out + text.substr(at);
}

std::vector<FilledText> fill(const Model& model, const std::vector<std::string>& texts,
                             const FillOptions& options) {
  if (options.top < 1) fail_call("top is ", options.top, ", expected at least 1");
  if (texts.empty()) fail_call("no texts given; give at least one");
  const int64_t mask = mask_of(model);
  std::vector<FilledText> out;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (options.progress)
      options.progress(static_cast<double>(i) / static_cast<double>(texts.size()),
                       text_name(i, texts.size()));
    try {
      out.push_back(fill_one(model, texts[i], mask, text_name(i, texts.size()), options));
    } catch (const Error& error) {
      if (texts.size() == 1) throw;
      throw Error(error.kind(), join(text_name(i, texts.size()), ": ", error.what()));
    }
  }
  return out;
}

}  // namespace limpid
