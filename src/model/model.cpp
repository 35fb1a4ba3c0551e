#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/label.h"
#include "model/impl.h"

namespace limpid {

Model::Impl::Impl(NetworkConfig c, std::shared_ptr<const Tokenizer> t, std::string what)
    : config(std::move(c)),
      tokenizer(std::move(t)),
      title(std::move(what)),
      graph(std::make_shared<Graph>(operations())) {
  build(*graph, config);
  engine = std::make_unique<Engine>(*graph);
}

Model::Impl::Bound Model::Impl::bindings(const Tensor& input) const {
  if (reads_source(config))
    fail_call("run: this network writes beside a source that it reads; give both (TokenBatch::sources)");
  return bound_to(input, {});
}

Model::Impl::Bound Model::Impl::bindings(const Tensor& input, const Tensor& source) const {
  if (!reads_source(config)) fail_call("run: this network has no encoder that reads a source; leave it out");
  return bound_to(input, source);
}

Model::Impl::Bound Model::Impl::bound_to(const Tensor& input, const Tensor& source) const {
  Bound bound;
  bound.owned.reserve(2);  // the views point there
  for (const auto& [name, tensor] : parameters) bound.views[name] = tensor;
  bound.views[input_name()] = input;
  if (source.count() > 0) bound.views["source"] = source;
  const auto add = [&](const char* name, Shape shape, int64_t value) {
    if (graph->find(name) < 0) return;
    Tensor& made = bound.owned.emplace_back(DType::i64, std::move(shape));
    std::fill_n(made.data<int64_t>(), made.count(), value);
    bound.views[name] = made;
  };
  const Shape rows = {{Axis::B, input.shape()[0].size}};
  add("lengths", rows, input.shape()[1].size);
  if (source.count() > 0) add("source_lengths", rows, source.shape()[1].size);
  add("observed", input.shape(), 1);
  add("token_types", {{Axis::B, input.shape()[0].size}, {Axis::T, input.shape()[1].size}}, 0);
  return bound;
}

const Writing& Model::Impl::writing() const {
  if (!tasks.writing)
    fail_call(
        "this encoder-decoder does not say which token its text begins with (decoder_start_token_id of its "
        "folder), so it cannot write one; session(source) takes the tokens from you");
  return *tasks.writing;
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Model Model::fresh(const NetworkConfig& config, std::shared_ptr<const Tokenizer> tokenizer, uint64_t seed) {
  auto impl = std::make_unique<Impl>(config, std::move(tokenizer), join("untrained model, seed ", seed));
  impl->parameters = fresh_parameters(*impl->graph, seed);
  return Model(std::move(impl));
}

Model Model::textbook_walk(const std::string& text, TextbookConfig config, uint32_t seed) {
  const auto words = word_tokenizer_from(text);
  std::vector<std::string> each;
  for (int64_t id : words->encode(text)) each.push_back(words->token_bytes(id));
  if (each.empty())
    fail_call("the sentence holds no word, ", text.empty() ? "it is empty" : "only white space",
              "; give at least one, such as \"Life is short\"");
  config.vocabulary = static_cast<int64_t>(each.size());
  auto impl = std::make_unique<Impl>(
      config, nullptr, join("textbook network; random weights, seed ", seed, " (NumPy's numbers)"));
  impl->words = std::move(each);
  impl->parameters = numpy_parameters(*impl->graph, seed);
  return Model(std::move(impl));
}

Model Model::textbook_walk(const Tensor& vectors, TextbookConfig config, uint32_t seed) {
  if (vectors.shape().rank() != 2 || vectors.count() == 0)
    fail_call("vectors: they are ", vectors.shape().text(), ", expected [T,C]: one row a vector");
  config.vectors = true;
  config.width = vectors.shape()[1].size;
  if (config.outputs == 0) config.outputs = vectors.shape()[0].size;
  auto impl = std::make_unique<Impl>(
      config, nullptr, join("textbook network; random weights, seed ", seed, " (NumPy's numbers)"));
  impl->vectors = vectors.to(DType::f64);
  impl->vectors.reshape({{Axis::B, 1}, {Axis::T, vectors.shape()[0].size}, {Axis::C, config.width}});
  impl->parameters = numpy_parameters(*impl->graph, seed);
  return Model(std::move(impl));
}

void Model::set_vector_names(std::vector<std::string> names) {
  const int64_t count = impl_->vectors.count() > 0 ? impl_->vectors.shape()[1].size : 0;
  if (static_cast<int64_t>(names.size()) != count)
    fail_call(names.size(), " names for ", count, " vectors; expected one each");
  impl_->vector_names = std::move(names);
}

const NetworkConfig& Model::config() const { return impl_->config; }
const Graph& Model::graph() const { return *impl_->graph; }
const Tokenizer* Model::tokenizer() const { return impl_->tokenizer.get(); }
const Tokenizer* Model::source_tokenizer() const { return impl_->source_tokenizer(); }
const std::map<std::string, Tensor>& Model::parameters() const { return impl_->expanded(); }
std::map<std::string, Tensor>& Model::parameters() {
  impl_->expand();
  return impl_->parameters;
}
const std::map<std::string, StoredMatrix>& Model::stored() const { return impl_->stored; }

Tensor Model::parameter(const std::string& name) const {
  if (const auto found = impl_->stored.find(name); found != impl_->stored.end())
    return found->second.to_tensor();
  const auto found = impl_->parameters.find(name);
  if (found == impl_->parameters.end()) fail_call("'", name, "' is no parameter of this network");
  return found->second;
}

size_t Model::parameter_bytes() const {
  size_t bytes = 0;
  for (const auto& [name, tensor] : impl_->parameters) bytes += tensor.bytes();
  for (const auto& [name, matrix] : impl_->stored) bytes += matrix.bytes();
  return bytes;
}

const std::map<std::string, Tensor>& Model::Impl::expanded() {
  if (stored.empty()) return parameters;
  const std::lock_guard lock(mutex);
  if (expanded_.empty()) {
    std::map<std::string, Tensor> all = parameters;
    for (const auto& [name, matrix] : stored) all[name] = matrix.to_tensor();
    expanded_ = std::move(all);
  }
  return expanded_;
}

void Model::Impl::expand() {
  expanded_.clear();
  for (auto each = stored.begin(); each != stored.end(); each = stored.erase(each))
    parameters[each->first] = each->second.to_tensor();
}
std::string Model::title() const { return impl_->title; }
const std::vector<std::string>& Model::notes() const { return impl_->notes; }
void Model::set_title(const std::string& title) { impl_->title = title; }

int64_t Model::parameter_count() const {
  int64_t count = 0;
  for (const auto& [name, tensor] : impl_->parameters) count += tensor.count();
  for (const auto& [name, matrix] : impl_->stored) count += matrix.count();
  return count;
}

std::string Model::hash() const { return impl_->hash(); }

std::string Model::Impl::hash() const {
  // FNV-1a, 64 bits, eight bytes at a time: tells models apart, proves nothing.
  uint64_t digest = 0xcbf29ce484222325u;
  const auto mix = [&](uint64_t word) {
    digest = (digest ^ word) * 0x100000001b3u;
    digest ^= digest >> 29;
  };
  const auto add = [&](const void* data, size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    const auto word_at = [&](size_t i, size_t count) {  // little-endian on every machine
      uint64_t word = 0;
      for (size_t j = 0; j < count; ++j) word |= uint64_t{bytes[i + j]} << (8 * j);
      return word;
    };
    const size_t whole = size / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
      if constexpr (std::endian::native == std::endian::little) {
        uint64_t word;
        std::memcpy(&word, bytes + i, 8);
        mix(word);
      } else {
        mix(word_at(i, 8));
      }
    }
    if (whole < size) mix(word_at(whole, size - whole));
  };
  const std::string settings = to_json(config);
  add(settings.data(), settings.size());
  for (const auto& [name, tensor] : parameters) {
    add(name.data(), name.size());
    add(tensor.raw(), tensor.bytes());
  }
  for (const auto& [name, matrix] : stored) {
    add(name.data(), name.size());
    add(matrix.row(0), matrix.bytes());
  }
  static const char k_hex[] = "0123456789abcdef";
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4) out += k_hex[(digest >> shift) & 15];
  return out;
}

const ModelTasks& Model::tasks() const { return impl_->tasks; }
void Model::set_tasks(ModelTasks tasks) { impl_->tasks = std::move(tasks); }

namespace {

// The first `longest` tokens, of the text's own fewer where others follow them.
void cut_to(ModelInput& input, int64_t longest) {
  const auto count = static_cast<int64_t>(input.ids.size());
  if (count <= longest) return;
  const auto added = std::count(input.text_of.begin(), input.text_of.end(), -1);
  int64_t left = longest - added;  // of the text's own
  if (left < 1)
    fail_call("the model reads ", longest, " tokens at a time, of which its tokenizer puts ", added,
              " round a text, so that no word fits between them");
  ModelInput out;
  for (size_t i = 0; i < input.ids.size(); ++i) {
    if (input.text_of[i] >= 0 && left-- <= 0) continue;
    out.ids.push_back(input.ids[i]);
    out.type_ids.push_back(input.type_ids[i]);
    out.spans.push_back(input.spans[i]);
    out.text_of.push_back(input.text_of[i]);
  }
  input = std::move(out);
}

void fill_up(ModelInput& input, const ModelTasks& tasks) {
  while (static_cast<int64_t>(input.ids.size()) < tasks.text_length) {
    const size_t end = input.spans.empty() ? 0 : input.spans.back().end;
    input.ids.push_back(tasks.padding);
    input.type_ids.push_back(0);
    input.spans.push_back({end, end});
    input.text_of.push_back(-1);
  }
}

}  // namespace

ModelInput Model::Impl::input_of(const std::string& text, Specials specials, int64_t longest) const {
  if (reads_images(config)) fail_call("this model reads images; give one instead of a text");
  if (reads_series(config)) fail_call("this model reads series; give one instead of a text");
  if (!tokenizer) fail_call("this model has no tokenizer; give token ids instead of a text");
  ModelInput input = source_tokenizer()->encode_for_model(text, {true, specials});
  if (input.ids.empty() && text.empty()) fail_call("the text is empty; give at least one word");
  if (input.ids.empty())
    fail_call(
        "the text is only white space, which this model's tokenizer of words does not see; "
        "give at least one word");
  const int64_t filled = std::min(longest, tasks.text_length > 0 ? tasks.text_length : INT64_MAX);
  cut_to(input, filled);
  fill_up(input, tasks);
  return input;
}

std::vector<int64_t> Model::encode(const std::string& text) const { return impl_->input_of(text).ids; }

ModelInput Model::encode(const std::string& text, Specials specials, int64_t longest) const {
  return impl_->input_of(text, specials, longest);
}

namespace {

// Lists of different lengths as rows; padding is token 0: whatever stands there is not seen.
struct Padded {
  Tensor ids, lengths;
};

Padded padded(const std::vector<std::vector<int64_t>>& lists, const char* what) {
  size_t longest = 0;
  for (size_t b = 0; b < lists.size(); ++b) {
    if (lists[b].empty()) fail_call("run: ", what, " ", b, " of the batch is empty; give at least one token");
    longest = std::max(longest, lists[b].size());
  }
  const auto rows = static_cast<int64_t>(lists.size());
  Padded out = {Tensor(DType::i64, {{Axis::B, rows}, {Axis::T, static_cast<int64_t>(longest)}}),
                Tensor(DType::i64, {{Axis::B, rows}})};
  std::fill_n(out.ids.data<int64_t>(), out.ids.count(), 0);
  for (size_t b = 0; b < lists.size(); ++b) {
    std::copy(lists[b].begin(), lists[b].end(), out.ids.data<int64_t>() + b * longest);
    out.lengths.data<int64_t>()[b] = static_cast<int64_t>(lists[b].size());
  }
  return out;
}

}  // namespace

Model::Impl::Batch Model::Impl::batch_of(const TokenBatch& batch) const {
  const size_t rows = batch.ids.size();
  if (rows == 0) fail_call("run: the batch is empty; give at least one text");
  if (!batch.types.empty() && batch.types.size() != rows)
    fail_call("run: token types of ", batch.types.size(), " texts, expected ", rows, ", one list a text");
  const bool beside = reads_source(config);
  if (batch.sources.size() != (beside ? rows : 0))
    fail_call("run: ", batch.sources.size(), " sources for ", rows, " texts, expected ",
              beside ? "one each, which this network's encoder reads" : "none: this network has no encoder");
  for (size_t b = 0; b < batch.types.size(); ++b)
    if (batch.types[b].size() != batch.ids[b].size())
      fail_call("run: text ", b, " has ", batch.ids[b].size(), " tokens and ", batch.types[b].size(),
                " token types");
  Padded texts = padded(batch.ids, "text"), sources, types;
  if (beside) sources = padded(batch.sources, "source");
  Batch out;
  out.bound = beside ? bindings(texts.ids, sources.ids) : bindings(texts.ids);
  std::map<std::string, ConstView>& views = out.bound.views;
  if (views.count("lengths")) views["lengths"] = texts.lengths;
  if (beside) views["source_lengths"] = sources.lengths;
  if (!batch.types.empty()) {
    if (!views.count("token_types")) fail_call("run: this network has no token types");
    types = padded(batch.types, "text");
    views["token_types"] = types.ids;
  }
  for (Padded* each : {&texts, &sources, &types}) {
    out.padded.push_back(std::move(each->ids));
    out.padded.push_back(std::move(each->lengths));
  }
  return out;
}

RunResult Model::run(const TokenBatch& batch, const RunOptions& options) const {
  const Impl::Batch bound = impl_->batch_of(batch);
  return impl_->engine->run(bound.bound.views, impl_->with_stored(options));
}

RunResult Model::run(const Tensor& input, const RunOptions& options) const {
  return impl_->engine->run(impl_->bindings(input).views, impl_->with_stored(options));
}

Tensor one_row(const std::vector<int64_t>& ids) {
  return Tensor::of<int64_t>({{Axis::B, 1}, {Axis::T, static_cast<int64_t>(ids.size())}}, ids);
}

Tensor Model::image_input(const ConstView& image) const {
  if (!reads_images(impl_->config) && !has_towers(impl_->config))
    fail_call("this model reads no images; give a text instead");
  const ModelTasks& tasks = impl_->tasks;
  if (!tasks.image)
    fail_work("how this model wants its images: ",
              tasks.image_problem.empty() ? "its file does not say" : tasks.image_problem);
  const auto& network = std::get<Architecture>(impl_->config);
  const PatchInputs& o = network.images ? network.images->patches : *network.patches;
  const auto require_size = [&](int64_t height, int64_t width) {
    if (height == o.height && width == o.width) return;
    fail_work("an image of ", image.shape()[1].size, " by ", image.shape()[0].size, " pixels becomes one of ",
              width, " by ", height, ", as the model's preprocessor_config.json says, but its network reads ",
              o.width, " by ", o.height);
  };
  // Before anything of that size is made.
  if (const auto size = tasks.image->crop ? tasks.image->crop : tasks.image->resize;
      size && image.shape().rank() == 3)
    require_size(size->height, size->width);
  Tensor pixels = (*tasks.image)(image);
  require_size(pixels.shape()[2].size, pixels.shape()[3].size);
  return pixels;
}

}  // namespace limpid
