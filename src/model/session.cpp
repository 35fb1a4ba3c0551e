// A text that grows: the network that appends (Purpose::extend), and the room for keys and values.
#include "model/session.h"

#include <algorithm>

#include "model/impl.h"
#include "model/look.h"

namespace limpid {

namespace {

// Tokens of a run: a long text takes the memory of a block, not of all of it.
constexpr int64_t k_block = 512;
constexpr int64_t k_least_room = 256;

// Those of the parameters that the graph has.
std::map<std::string, ConstView> known(const Graph& graph, const std::map<std::string, Tensor>& parameters) {
  std::map<std::string, ConstView> bound;
  for (const auto& [name, tensor] : parameters)
    if (graph.find(name) >= 0) bound[name] = tensor;
  return bound;
}

// So many of the columns [B,T] from `first` on.
Tensor columns_of(const Tensor& ids, int64_t first, int64_t count) {
  return Tensor::copy_of(ids.view().window(1, first, count));
}

// [1,S,G,D] as often as there are rows.
Tensor repeated(const Tensor& one, int64_t rows) {
  Shape shape = one.shape();
  shape[0].size = rows;
  Tensor out(one.dtype(), shape);
  for (int64_t b = 0; b < rows; ++b)
    std::copy_n(one.data<float>(), one.count(), out.data<float>() + b * one.count());
  return out;
}

}  // namespace

SessionState::SessionState(const Model& model, int64_t rows, const std::vector<int64_t>& source)
    : model_(model), rows_(rows), graph_(operations()), context_(context_of(model.config())) {
  build(graph_, model.config(), Purpose::extend);
  engine_.emplace(graph_);
  for (const Value& value : graph_.values())
    if (value.kind == Value::Kind::input &&
        (value.name.ends_with(".k_room") || value.name.ends_with(".v_room")))
      rooms_[value.name] =
          Tensor(DType::f32, {{Axis::B, rows}, {Axis::S, 0}, value.shape[2], value.shape[3]});
  if (!source.empty()) encode(source);
}

// What every layer of the decoder reads of the source, once.
void SessionState::encode(const std::vector<int64_t>& source) {
  Graph graph(operations());
  build(graph, model_.config(), Purpose::encode);
  const Tensor ids = one_row(source);
  const auto lengths_of = [&](int64_t rows) {
    return Tensor::of<int64_t>({{Axis::B, rows}}, std::vector<int64_t>(static_cast<size_t>(rows),
                                                                       static_cast<int64_t>(source.size())));
  };
  const Tensor whole = lengths_of(1);
  std::map<std::string, ConstView> bound = known(graph, model_.impl_->parameters);
  bound["source"] = ids;
  bound["source_lengths"] = whole;
  RunOptions options;
  options.stored = &model_.impl_->stored;
  for (const Value& value : graph_.values())
    if (value.kind == Value::Kind::input && value.name.find(".cross_attn.") != std::string::npos)
      options.keep.push_back(value.name);
  RunResult result = Engine(graph).run(bound, options);
  for (auto& [name, tensor] : result.values) source_[name] = repeated(tensor, rows_);
  source_["source_lengths"] = lengths_of(rows_);
}

// Place for so many tokens: the rooms grow by doubling, and keep what they hold.
void SessionState::make_room(int64_t tokens) {
  if (tokens <= capacity_) return;
  const int64_t grown = std::min(context_, std::max({tokens, 2 * capacity_, k_least_room}));
  for (auto& [name, room] : rooms_) {
    Shape shape = room.shape();
    shape[1].size = grown;
    Tensor larger(DType::f32, shape);
    std::fill_n(larger.data<float>(), larger.count(), 0.f);
    const int64_t before = room.count() / rows_, after = larger.count() / rows_;
    for (int64_t b = 0; b < rows_; ++b)
      std::copy_n(room.data<float>() + b * before, before, larger.data<float>() + b * after);
    room = std::move(larger);
  }
  capacity_ = grown;
}

// Reads a block; with `logits` [B,V] also those after its last token, and with `looks` where heads look from
// there.
void SessionState::run_block(const Tensor& ids, Tensor* logits, int64_t watch, std::vector<HeadLook>* looks) {
  std::map<std::string, ConstView> bound = known(graph_, model_.impl_->parameters);
  for (const auto& [name, tensor] : rooms_) bound[name] = tensor;
  for (const auto& [name, tensor] : source_) bound[name] = tensor;
  bound["tokens"] = ids;
  RunOptions options;
  options.context.first_position = length;
  options.stored = &model_.impl_->stored;
  // All of a block's keys and values are wanted, and the last logits.
  if (logits) options.observe = {{"logits", Depth::rows, 0, {-1}}};
  for (const auto& [name, room] : rooms_)
    if (!logits) options.observe.push_back({name.substr(0, name.size() - 4) + "all", Depth::rows, 0, {0}});
  if (logits && looks) observe_looks(graph_, watch, options.observe);
  const RunResult result = engine_->run(bound, options);
  if (logits && looks) *looks = looks_of(graph_, result, watch);
  length += ids.shape()[1].size;
  if (!logits) return;
  const Tensor& last = result["logits@rows"];  // [B,1,V]
  *logits = Tensor(DType::f32, {{Axis::B, rows_}, {Axis::V, last.shape().size(Axis::V)}});
  std::copy_n(last.data<float>(), last.count(), logits->data<float>());
}

Tensor SessionState::extend(const Tensor& ids) { return extend(ids, 0, nullptr); }

Tensor SessionState::extend(const Tensor& ids, int64_t watch, std::vector<HeadLook>* looks) {
  const int64_t vocabulary = vocabulary_of(model_.config()), count = ids.shape()[1].size;
  for (int64_t i = 0; i < ids.count(); ++i)
    if (const int64_t id = ids.data<int64_t>()[i]; id < 0 || id >= vocabulary)
      fail_call("extend: token ", id, " is none of the vocabulary's, expected 0 to ", vocabulary - 1);
  if (length + count > context_)
    fail_call("extend: the text would have ", length + count, " tokens, but the network has positions for ",
              context_, "; clear() begins anew");
  make_room(length + count);
  Tensor logits;
  for (int64_t at = 0; at < count; at += k_block) {
    const int64_t block = std::min(k_block, count - at);
    run_block(columns_of(ids, at, block), at + block == count ? &logits : nullptr, watch, looks);
  }
  return logits;
}

void SessionState::take_rows(const std::vector<int64_t>& from) {
  for (auto& [name, room] : rooms_) {
    const Tensor before = room;
    const int64_t each = room.count() / rows_, used = each / std::max<int64_t>(1, capacity_) * length;
    for (int64_t b = 0; b < rows_; ++b)
      std::copy_n(before.data<float>() + from[static_cast<size_t>(b)] * each, used,
                  room.data<float>() + b * each);
  }
}

size_t SessionState::bytes() const {
  size_t sum = 0;
  for (const auto* kept : {&rooms_, &source_})
    for (const auto& [name, tensor] : *kept) sum += tensor.bytes();
  return sum;
}

// ---- one text ------------------------------------------------------------------------------------

Session::Session(std::unique_ptr<SessionState> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Tensor Session::extend(const std::vector<int64_t>& tokens) {
  if (tokens.empty()) fail_call("extend: no tokens given; give at least one");
  Tensor logits = state_->extend(one_row(tokens));
  logits.reshape(logits.shape().part(1, 1));
  return logits;
}

Tensor Session::extend(const std::vector<int64_t>& tokens, int64_t watch, std::vector<HeadLook>& looks) {
  if (tokens.empty()) fail_call("extend: no tokens given; give at least one");
  if (watch < 1) fail_call("extend: watch is ", watch, ", expected at least 1, how many weights of a head");
  Tensor logits = state_->extend(one_row(tokens), watch, &looks);
  logits.reshape(logits.shape().part(1, 1));
  return logits;
}

int64_t Session::length() const { return state_->length; }
void Session::clear() { state_->length = 0; }
size_t Session::bytes() const { return state_->bytes(); }

bool Model::can_extend() const {
  if (!predicts_next_token(config()) || std::holds_alternative<TextbookConfig>(config())) return false;
  const auto* parts = std::get_if<Architecture>(&config());
  const auto* gpt = std::get_if<GptConfig>(&config());
  const Architecture a = parts ? *parts : architecture_of(*gpt);
  return std::all_of(a.stack.blocks.begin(), a.stack.blocks.end(), [](const BlockOptions& block) {
    return block.attention.rotary.dynamic_factor == 0 &&
           block.attention.positions != Positions::relative_keys &&
           block.attention.positions != Positions::disentangled;
  });
}

Session Model::session() const {
  if (reads_source(config()))
    fail_call("session: this network writes beside a source; give its tokens: session(source)");
  if (!can_extend())
    fail_call("session: this network cannot keep keys and values from run to run; run() reads a whole text");
  return Session(std::make_unique<SessionState>(*this, 1, std::vector<int64_t>{}));
}

Session Model::session(const std::vector<int64_t>& source) const {
  if (!reads_source(config()))
    fail_call("session: this network has no encoder that reads a source; session() begins a text");
  if (source.empty()) fail_call("session: the source is empty; give at least one token");
  return Session(std::make_unique<SessionState>(*this, 1, source));
}

}  // namespace limpid
