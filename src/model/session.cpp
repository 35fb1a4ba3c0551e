// A text that grows: the network that appends (Purpose::extend), and the room for keys and values.
#include <algorithm>

#include "model/impl.h"

namespace limpid {

namespace {

// Tokens of a run: a long text takes the memory of a block, not of all of it.
constexpr int64_t k_block = 512;
constexpr int64_t k_least_room = 256;

}  // namespace

struct LIMPID_LOCAL SessionState {
  explicit SessionState(const Model& m) : model(m), graph(operations()) {
    build(graph, model.config(), Purpose::extend);
    engine.emplace(graph);
    for (const Value& value : graph.values())
      if (value.kind == Value::Kind::input &&
          (value.name.ends_with(".k_room") || value.name.ends_with(".v_room")))
        rooms[value.name] = Tensor(DType::f32, {{Axis::B, 1}, {Axis::S, 0}, value.shape[2], value.shape[3]});
    context = context_of(model.config());
  }

  // Place for so many tokens: the rooms grow by doubling, and keep what they hold.
  void make_room(int64_t tokens) {
    if (tokens <= capacity) return;
    const int64_t grown = std::min(context, std::max({tokens, 2 * capacity, k_least_room}));
    for (auto& [name, room] : rooms) {
      Shape shape = room.shape();
      shape[1].size = grown;
      Tensor larger(DType::f32, shape);
      std::fill_n(larger.data<float>(), larger.count(), 0.f);
      std::copy_n(room.data<float>(), room.count(), larger.data<float>());
      room = std::move(larger);
    }
    capacity = grown;
  }

  Tensor run(const std::vector<int64_t>& ids, bool last) {
    const Tensor input = one_row(ids);
    std::map<std::string, ConstView> bound;
    for (const auto& [name, tensor] : model.impl_->parameters) bound[name] = tensor;
    for (const auto& [name, room] : rooms) bound[name] = room;
    bound["tokens"] = input;
    RunOptions options;
    options.context.first_position = length;
    options.stored = &model.impl_->stored;
    // All of a block's keys and values are wanted, and the last logits.
    if (last) options.observe = {{"logits", Depth::rows, 0, {-1}}};
    for (const auto& [name, room] : rooms)
      if (!last) options.observe.push_back({name.substr(0, name.size() - 4) + "all", Depth::rows, 0, {0}});
    const RunResult result = engine->run(bound, options);
    length += static_cast<int64_t>(ids.size());
    if (!last) return {};
    const Tensor& rows = result["logits@rows"];
    const int64_t vocabulary = rows.shape().size(Axis::V);
    Tensor logits(DType::f32, {{Axis::V, vocabulary}});
    std::copy_n(rows.data<float>() + rows.count() - vocabulary, vocabulary, logits.data<float>());
    return logits;
  }

  const Model& model;
  Graph graph;
  std::optional<Engine> engine;
  std::map<std::string, Tensor> rooms;  // by the input's name; the first `length` rows hold something
  int64_t length = 0, capacity = 0, context = 0;
};

Session::Session(std::unique_ptr<SessionState> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Tensor Session::extend(const std::vector<int64_t>& tokens) {
  if (tokens.empty()) fail_call("extend: no tokens given; give at least one");
  const int64_t vocabulary = vocabulary_of(state_->model.config());
  for (int64_t id : tokens)
    if (id < 0 || id >= vocabulary)
      fail_call("extend: token ", id, " is none of the vocabulary's, expected 0 to ", vocabulary - 1);
  const int64_t longer = state_->length + static_cast<int64_t>(tokens.size());
  if (longer > state_->context)
    fail_call("extend: the text would have ", longer, " tokens, but the network has positions for ",
              state_->context, "; clear() begins anew");
  state_->make_room(longer);
  for (size_t at = 0;; at += k_block) {
    const size_t count = std::min<size_t>(k_block, tokens.size() - at);
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(at);
    const bool last = at + count == tokens.size();
    Tensor logits = state_->run({first, first + static_cast<std::ptrdiff_t>(count)}, last);
    if (last) return logits;
  }
}

int64_t Session::length() const { return state_->length; }
void Session::clear() { state_->length = 0; }
size_t Session::bytes() const {
  size_t sum = 0;
  for (const auto& [name, room] : state_->rooms) sum += room.bytes();
  return sum;
}

bool Model::can_extend() const {
  if (!predicts_next_token(config()) || std::holds_alternative<TextbookConfig>(config())) return false;
  const auto* parts = std::get_if<Architecture>(&config());
  const auto* gpt = std::get_if<GptConfig>(&config());
  const Architecture a = parts ? *parts : architecture_of(*gpt);
  return std::all_of(a.stack.blocks.begin(), a.stack.blocks.end(), [](const BlockOptions& block) {
    return block.attention.rotary.dynamic_factor == 0 &&
           block.attention.positions != Positions::relative_keys;
  });
}

Session Model::session() const {
  if (!can_extend())
    fail_call("session: this network cannot keep keys and values from run to run; run() reads a whole text");
  return Session(std::make_unique<SessionState>(*this));
}

}  // namespace limpid
