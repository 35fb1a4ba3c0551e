// A text that grows: the network that appends (Purpose::extend), and the room for keys and values.
#include "model/session.h"

#include <algorithm>
#include <functional>

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

// The texts [first, first + count) of a tensor [B,...].
View texts_of(Tensor& tensor, int64_t first, int64_t count) {
  if (tensor.shape().rank() == 0) return {};  // no scales
  const ConstView part = std::as_const(tensor).view().window(0, first, count);
  return View(part.dtype(), part.shape(), part.strides(), const_cast<void*>(part.raw()));
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

SessionState::SessionState(const Model& model, int64_t rows, const std::vector<int64_t>& source, DType type)
    : model_(model),
      rows_(rows),
      lengths_(static_cast<size_t>(rows)),
      graph_(operations()),
      type_(type),
      context_(context_of(model.config())) {
  require_room_type("session: cache_type", type);
  build(graph_, model.config(), Purpose::extend);
  engine_.emplace(graph_);
  for (const Value& value : graph_.values())
    if (value.kind == Value::Kind::input &&
        (value.name.ends_with(".k_room") || value.name.ends_with(".v_room")))
      rooms_[value.name] = place_for({{Axis::B, rows}, {Axis::S, 0}, value.shape[2], value.shape[3]});
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

SessionState::Kept SessionState::place_for(const Shape& rows) const {
  return {Tensor(type_, rows), type_ == DType::i8 ? Tensor(DType::f32, rows.part(0, 3)) : Tensor()};
}

// Place for so many tokens: the rooms grow by doubling, and keep what they hold.
void SessionState::make_room(int64_t tokens) {
  if (tokens <= capacity_) return;
  const int64_t grown = std::min(context_, std::max({tokens, 2 * capacity_, k_least_room}));
  const auto move_rows = [&](const Tensor& from, Tensor& to) {
    const size_t before = from.bytes() / static_cast<size_t>(rows_),
                 after = to.bytes() / static_cast<size_t>(rows_);
    for (size_t b = 0; b < static_cast<size_t>(rows_); ++b)
      std::copy_n(static_cast<const std::byte*>(from.raw()) + b * before, before,
                  static_cast<std::byte*>(to.raw()) + b * after);
  };
  for (auto& [name, room] : rooms_) {
    Shape shape = room.rows.shape();
    shape[1].size = grown;
    Kept larger = place_for(shape);  // zeros
    move_rows(room.rows, larger.rows);
    move_rows(room.scales, larger.scales);
    room = std::move(larger);
  }
  capacity_ = grown;
}

// Reads a block; with `logits` [B,V] also those after its last token, and with `looks` where heads look from
// there.
void SessionState::run_block(Rows rows, const Tensor& ids, Tensor* logits, int64_t watch,
                             std::vector<HeadLook>* looks) {
  std::map<std::string, ConstView> bound = known(graph_, model_.impl_->parameters);
  RunOptions options;
  for (auto& [name, room] : rooms_) {
    const View kept = texts_of(room.rows, rows.first, rows.count);
    if (type_ == DType::f32)
      bound[name] = kept;
    else
      options.rooms[name] = {kept, texts_of(room.scales, rows.first, rows.count)};
  }
  for (auto& [name, tensor] : source_) bound[name] = texts_of(tensor, rows.first, rows.count);
  bound["tokens"] = ids;
  const std::vector<int64_t> firsts(lengths_.begin() + rows.first,
                                    lengths_.begin() + rows.first + rows.count);
  options.context.first_position = firsts[0];
  if (std::adjacent_find(firsts.begin(), firsts.end(), std::not_equal_to<>()) != firsts.end())
    options.context.first_positions = firsts;
  options.stored = &model_.impl_->stored;
  // All of a block's keys and values are wanted, and the last logits.
  if (logits) options.observe = {{"logits", Depth::rows, 0, {-1}}};
  for (const auto& [name, room] : rooms_)
    if (!logits) options.observe.push_back({name.substr(0, name.size() - 4) + "all", Depth::rows, 0, {0}});
  if (logits && looks) observe_looks(graph_, watch, options.observe);
  const RunResult result = engine_->run(bound, options);
  if (logits && looks) *looks = looks_of(graph_, result, watch);
  for (int64_t row = rows.first; row < rows.first + rows.count; ++row)
    lengths_[static_cast<size_t>(row)] += ids.shape()[1].size;
  if (!logits) return;
  const Tensor& last = result["logits@rows"];  // [B,1,V]
  *logits = Tensor(DType::f32, {{Axis::B, rows.count}, {Axis::V, last.shape().size(Axis::V)}});
  std::copy_n(last.data<float>(), last.count(), logits->data<float>());
}

Tensor SessionState::extend(const Tensor& ids) { return extend({0, rows_}, ids, 0, nullptr); }

Tensor SessionState::extend(const Tensor& ids, int64_t watch, std::vector<HeadLook>* looks) {
  return extend({0, rows_}, ids, watch, looks);
}

Tensor SessionState::extend_rows(int64_t first, const Tensor& ids) {
  return extend({first, ids.shape()[0].size}, ids, 0, nullptr);
}

Tensor SessionState::extend(Rows rows, const Tensor& ids, int64_t watch, std::vector<HeadLook>* looks) {
  const int64_t vocabulary = vocabulary_of(model_.config()), count = ids.shape()[1].size;
  for (int64_t i = 0; i < ids.count(); ++i)
    if (const int64_t id = ids.data<int64_t>()[i]; id < 0 || id >= vocabulary)
      fail_call("extend: token ", id, " is none of the vocabulary's, expected 0 to ", vocabulary - 1);
  const int64_t longest =
      *std::max_element(lengths_.begin() + rows.first, lengths_.begin() + rows.first + rows.count);
  if (longest + count > context_)
    fail_call("extend: the text would have ", longest + count, " tokens, but the network has positions for ",
              context_, "; clear() begins anew");
  make_room(longest + count);
  Tensor logits;
  for (int64_t at = 0; at < count; at += k_block) {
    const int64_t block = std::min(k_block, count - at);
    run_block(rows, columns_of(ids, at, block), at + block == count ? &logits : nullptr, watch, looks);
  }
  return logits;
}

void SessionState::copy_row(int64_t from, int64_t to) {
  const size_t filled = static_cast<size_t>(length(from));
  for (auto& [name, room] : rooms_)
    for (Tensor* tensor : {&room.rows, &room.scales}) {
      if (tensor->bytes() == 0) continue;
      const size_t each = tensor->bytes() / static_cast<size_t>(rows_),
                   used = each / static_cast<size_t>(capacity_) * filled;
      auto* const bytes = static_cast<std::byte*>(tensor->raw());
      std::copy_n(bytes + static_cast<size_t>(from) * each, used, bytes + static_cast<size_t>(to) * each);
    }
  lengths_[static_cast<size_t>(to)] = length(from);
}

void SessionState::take_rows(const std::vector<int64_t>& from) {
  if (capacity_ == 0) return;
  // All rows of a search are of one length.
  const auto take = [&](Tensor& tensor) {
    const Tensor before = tensor;
    const size_t each = tensor.bytes() / static_cast<size_t>(rows_),
                 used = each / static_cast<size_t>(capacity_) * static_cast<size_t>(length());
    for (size_t b = 0; b < from.size(); ++b)
      std::copy_n(static_cast<const std::byte*>(before.raw()) + static_cast<size_t>(from[b]) * each, used,
                  static_cast<std::byte*>(tensor.raw()) + b * each);
  };
  for (auto& [name, room] : rooms_) {
    take(room.rows);
    take(room.scales);
  }
}

size_t SessionState::bytes() const {
  size_t sum = 0;
  for (const auto& [name, room] : rooms_) sum += room.rows.bytes() + room.scales.bytes();
  for (const auto& [name, tensor] : source_) sum += tensor.bytes();
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

int64_t Session::length() const { return state_->length(); }
void Session::clear() { state_->clear(); }
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
  return session_in(DType::f32);
}

Session Model::session(const std::vector<int64_t>& source) const {
  if (!reads_source(config()))
    fail_call("session: this network has no encoder that reads a source; session() begins a text");
  return session_in(DType::f32, source);
}

Session Model::session_in(DType cache_type, const std::vector<int64_t>& source) const {
  if (reads_source(config()) && source.empty())
    fail_call("session: the source is empty; give at least one token");
  if (!reads_source(config()) && !source.empty())
    fail_call("session: this network has no encoder that reads a source; give none");
  if (!reads_source(config()) && !can_extend())
    fail_call("session: this network cannot keep keys and values from run to run; run() reads a whole text");
  return Session(std::make_unique<SessionState>(*this, 1, source, cache_type));
}

}  // namespace limpid
