#include "draw/layout/outline.h"

#include <algorithm>
#include <map>
#include <set>

#include "draw/layout/blocks.h"
#include "draw/layout/groups.h"
#include "draw/layout/value_inputs.h"
#include "draw/scene/text.h"
#include "limpid/trace.h"

namespace limpid::draw {

namespace {

// The stages of a gradient: their values are called NAME.grad or NAME.backward, and whatever reads such a
// value is one too.
std::vector<bool> of_gradient(const Graph& graph) {
  std::vector<bool> gradient(graph.stages().size(), false);
  for (size_t i = 0; i < gradient.size(); ++i) {
    const StageInfo& stage = graph.stages()[i];
    const auto named = [&](int id) {
      const std::string name = graph.value(id).name + ".";
      return name.find(".grad.") != std::string::npos || name.find(".backward.") != std::string::npos;
    };
    const auto known = [&](int id) {
      return graph.value(id).stage >= 0 && gradient[static_cast<size_t>(graph.value(id).stage)];
    };
    gradient[i] = std::any_of(stage.outputs.begin(), stage.outputs.end(), named) ||
                  std::any_of(stage.inputs.begin(), stage.inputs.end(), known);
  }
  return gradient;
}

// A view that says nothing: no axis but the last goes away (or it has but one place), so shapes tell it all.
bool silent_view(const Graph& graph, const StageInfo& stage) {
  if (!stage.operation->is_view()) return false;
  const Shape &from = graph.value(stage.inputs[0]).shape, &to = graph.value(stage.outputs[0]).shape;
  for (int i = 0; i + 1 < from.rank(); ++i)
    if (to.find(from[i].axis) < 0 && from[i].size != 1) return false;
  return true;
}

std::string scope_of(const std::string& name) {
  const size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

class Outliner {
 public:
  Outliner(const Graph& graph, const std::vector<std::string>& open)
      : graph_(graph), encodes_(has_encoder(graph)), pairs_(graph.find("image.unit_embedding") >= 0) {
    const std::vector<bool> left_out = of_gradient(graph);
    blocks_ = find_blocks(graph, left_out, open);
    for (size_t i = 0; i < left_out.size(); ++i) shown_.push_back(!left_out[i] && !blocks_.hidden[i]);
  }

  Outline make(const std::map<std::string, std::string>& edited) {
    add_stages();
    add_edges();
    drop_shared_constants();
    close_blocks();
    add_results();
    join_words();
    mark_residuals();
    join_add_and_norm();
    mark_edits(edited);
    return finished();
  }

 private:
  // ---- nodes and edges

  // A layout takes time that grows with the square of the boxes, and nobody reads a figure of so many.
  static constexpr int64_t k_most_boxes = 4000;

  void add_stages() {
    node_of_stage_.assign(graph_.stages().size(), -1);
    const auto boxes = std::count(shown_.begin(), shown_.end(), true);
    if (boxes > k_most_boxes)
      fail_work("draw: the network has ", boxes, " stages that are not repeated layers, a figure at most ",
                k_most_boxes);
    for (size_t i = 0; i < graph_.stages().size(); ++i) {
      const StageInfo& stage = graph_.stages()[i];
      if (!shown_[i] || silent_view(graph_, stage)) continue;
      node_of_stage_[i] =
          add({Node::Kind::stage, stage.name, clean(stage.label()), clean(stage.equation()),
               clean(stage.caption()), stage.role, static_cast<int>(i), false, parameters_of(stage)},
              stage.outputs[0]);
    }
  }

  // Those that two stages share belong to the first, so that the boxes add up to the whole.
  int64_t parameters_of(const StageInfo& stage) {
    int64_t count = 0;
    for (int id : stage.inputs)
      if (const Value& value = graph_.value(id);
          value.kind == Value::Kind::parameter && !value.shape.symbolic() && counted_.insert(id).second)
        count += value.shape.count();
    return count;
  }

  int add(Node node, int value) {
    out_.nodes.push_back(std::move(node));
    value_.push_back(value);
    gone_.push_back(false);
    return static_cast<int>(out_.nodes.size()) - 1;
  }

  // The node that gives a value; views that say nothing are looked through.  -1 for a parameter.
  int giver(int id, const StageInfo& reader) {
    while (true) {
      id = blocks_.same[static_cast<size_t>(id)];
      const Value& value = graph_.value(id);
      if (value.kind == Value::Kind::parameter) return -1;
      if (value.stage < 0 || is_handed_over(value, reader)) return input_node(id, reader);
      if (const int node = node_of_stage_[static_cast<size_t>(value.stage)]; node >= 0) return node;
      if (!shown_[static_cast<size_t>(value.stage)]) return -1;
      id = graph_.stage(value.stage).inputs[0];
    }
  }

  bool is_encoders(const std::string& name) const { return encodes_ && name.starts_with("encoder."); }

  // What the encoder gives is drawn as its output, and again as what the decoder is given; so is the texts'
  // vector, which is compared with the images'.
  bool is_handed_over(const Value& value, const StageInfo& reader) const {
    return (is_encoders(value.name) && !is_encoders(reader.name)) ||
           (is_texts(value.name) && reader.name == "logits") ||
           (is_distances(value.name) && reader.name.find("blocks.") != std::string::npos);
  }
  // The rows of distances that every block reads: a block takes nothing but what the one before it gives.
  static bool is_distances(const std::string& name) {
    const std::string_view last = std::string_view(name).substr(name.find("encoder.") == 0 ? 8 : 0);
    return last == "rel_embed" || last.starts_with("ln_rel.");
  }
  bool is_texts(const std::string& name) const { return pairs_ && name.starts_with("unit_embedding"); }

  std::string input_label(const Value& value) const {
    if (is_encoders(value.name)) return "Encoder output";
    if (is_texts(value.name)) return "Text vector";
    if (is_distances(value.name)) return "Distances";
    if (value.dtype == DType::i64 || value.dtype == DType::boolean) return clean(capitalized(value.name));
    return clean("Input " + value.name);
  }

  // Where an input is read: once for the encoder, once for the rest, which may stand far from it, and lengths
  // once more for what reads them behind the blocks.
  enum class Place { rest, encoder, behind_blocks };
  Place place_of(const Value& value, const StageInfo& reader) const {
    if (is_encoders(reader.name)) return Place::encoder;
    return value.name == "lengths" && !reader.name.starts_with("blocks.") ? Place::behind_blocks
                                                                          : Place::rest;
  }

  int input_node(int id, const StageInfo& reader) {
    const std::pair<int, Place> key = {id, place_of(graph_.value(id), reader)};
    if (const auto known = inputs_.find(key); known != inputs_.end()) return known->second;
    const Value& value = graph_.value(id);
    const bool words = value.shape.find(Axis::T) >= 0 && first_input_along_t() == id;
    const bool again = encodes_ && key.second != Place::encoder &&
                       (is_encoders(value.name) || value.name == "source_lengths");
    const char* where = again                                ? " (decoder)"
                        : key.second == Place::behind_blocks ? " (behind)"
                        : value.stage >= 0                   ? " (given)"
                                                             : "";
    const int node =
        add({Node::Kind::input, value.name + where, input_label(value), "", "", Role::plain, -1, false}, id);
    if (words) {
      sentence_ = add({Node::Kind::words, value.name + " (words)", "", "", "", Role::plain, -2, false}, id);
      out_.edges.push_back({sentence_, node, id, false, false});
    }
    return inputs_[key] = node;
  }

  // The words go straight into a stage that takes nothing else and alone takes them; otherwise into the
  // input's box.
  void join_words() {
    if (sentence_ < 0) return;
    const Edge first = *std::find_if(out_.edges.begin(), out_.edges.end(),
                                     [&](const Edge& e) { return e.from == sentence_; });
    int takers = 0, taker = -1, given = 0;
    for (const Edge& e : out_.edges)
      if (e.from == first.to) ++takers, taker = e.to;
    for (const Edge& e : out_.edges) given += e.to == taker;
    if (takers != 1 || given != 1) return;
    std::erase_if(out_.edges, [&](const Edge& e) { return e.from == sentence_; });
    for (Edge& e : out_.edges)
      if (e.from == first.to) e.from = sentence_;
    gone_[static_cast<size_t>(first.to)] = true;
  }

  int first_input_along_t() const {
    for (size_t i = 0; i < graph_.values().size(); ++i)
      if (graph_.values()[i].kind == Value::Kind::input && graph_.values()[i].shape.find(Axis::T) >= 0)
        return static_cast<int>(i);
    return -1;
  }

  void add_edges() {
    for (size_t i = 0; i < graph_.stages().size(); ++i) {
      const int to = node_of_stage_[i];
      if (to < 0) continue;
      const StageInfo& stage = graph_.stages()[i];
      const std::vector<bool> read = reads(graph_, stage);
      bool any = false;
      for (size_t k = 0; k < stage.inputs.size(); ++k) {
        const int from = read[k] ? giver(stage.inputs[k], stage) : -1;
        if (from < 0) continue;
        any = true;
        const int value = blocks_.same[static_cast<size_t>(stage.inputs[k])];
        const bool known = std::any_of(out_.edges.begin(), out_.edges.end(),
                                       [&](const Edge& e) { return e.from == from && e.to == to; });
        const Shape& gives = graph_.value(stage.outputs[0]).shape;
        if (!known) out_.edges.push_back({from, to, value, false, graph_.value(value).shape == gives});
      }
      out_.nodes[static_cast<size_t>(to)].constant = !any;
    }
  }

  void drop_shared_constants() {
    for (size_t i = 0; i < out_.nodes.size(); ++i) {
      const auto reads_it = [&](const Edge& e) { return e.from == static_cast<int>(i); };
      if (!out_.nodes[i].constant || std::count_if(out_.edges.begin(), out_.edges.end(), reads_it) < 2)
        continue;
      std::erase_if(out_.edges, reads_it);
      gone_[i] = true;
    }
  }

  // Whether something outside the block takes from it and gives to it: as one box it would take from itself.
  bool leaves_and_returns(const Repeat& repeat) const {
    std::vector<bool> inside(out_.nodes.size(), false), after(out_.nodes.size(), false);
    for (int stage : repeat.stages)
      if (const int node = node_of_stage_[static_cast<size_t>(stage)]; node >= 0)
        inside[static_cast<size_t>(node)] = true;
    for (bool changed = true; changed;) {
      changed = false;
      for (const Edge& e : out_.edges) {
        const auto from = static_cast<size_t>(e.from), to = static_cast<size_t>(e.to);
        const bool reached = after[from] || (inside[from] && !inside[to]);
        if (!reached || after[to]) continue;
        if (inside[to]) return true;
        after[to] = changed = true;
      }
    }
    return false;
  }

  // A closed block is one box: what flows inside of it is not drawn.
  void close_blocks() {
    for (Repeat& repeat : blocks_.repeats) {
      if (repeat.open) continue;
      if (leaves_and_returns(repeat)) {
        repeat.open = true;
        continue;
      }
      std::vector<bool> inside(out_.nodes.size() + 1, false);
      int first = -1, gives = -1;
      int64_t parameters = 0;
      for (int stage : repeat.stages) {
        const int node = node_of_stage_[static_cast<size_t>(stage)];
        shown_[static_cast<size_t>(stage)] = false;
        if (node < 0) continue;
        inside[static_cast<size_t>(node)] = true;
        gone_[static_cast<size_t>(node)] = true;
        parameters += repeat.repeats * out_.nodes[static_cast<size_t>(node)].parameters;
        if (first < 0) first = node;
        gives = value_[static_cast<size_t>(node)];
      }
      if (first < 0) continue;
      for (const Edge& e : out_.edges)
        if (inside[static_cast<size_t>(e.from)] && !inside[static_cast<size_t>(e.to)]) gives = e.value;
      const int order = out_.nodes[static_cast<size_t>(first)].order;
      const int box =
          add({Node::Kind::stage, join(repeat.family, ".", repeat.first), title_of(graph_, repeat), "",
               words_of(repeat), Role::plain, order, false, parameters},
              gives);
      closed_.insert(box);
      for (size_t i = 0; i + 1 < inside.size(); ++i)
        if (inside[i]) drawn_as_[static_cast<int>(i)] = box;
      for (Edge& e : out_.edges) {
        if (inside[static_cast<size_t>(e.from)]) e.from = box;
        if (e.to != box && inside[static_cast<size_t>(e.to)]) e.to = box;
      }
      std::vector<Edge> kept;
      for (const Edge& e : out_.edges) {
        const bool known = std::any_of(kept.begin(), kept.end(),
                                       [&](const Edge& k) { return k.from == e.from && k.to == e.to; });
        if (e.from != e.to && !known) kept.push_back(e);
      }
      out_.edges = std::move(kept);
    }
  }

  // What is inside, as its stages say it; each kind once.
  std::string words_of(const Repeat& repeat) const {
    std::string words;
    std::vector<std::string> said;
    for (int stage : repeat.stages) {
      const int node = node_of_stage_[static_cast<size_t>(stage)];
      const std::string label = clean(graph_.stage(stage).label());
      if (node < 0 || out_.nodes[static_cast<size_t>(node)].constant || label.empty() ||
          std::find(said.begin(), said.end(), label) != said.end())
        continue;
      said.push_back(label);
      words += (words.empty() ? "Inside: " : ", ") + label;
    }
    return words.empty() ? "" : words + ".";
  }

  // What a value is called once the views that say nothing have passed it on.
  int after_views(int id) const {
    for (size_t i = 0; i < graph_.stages().size(); ++i)
      if (const StageInfo& stage = graph_.stages()[i];
          shown_[i] && node_of_stage_[i] < 0 && stage.inputs[0] == id)
        id = stage.outputs[0];
    return id;
  }

  // What comes out at the end, without the layer it comes from: "blocks.0.attn_out" is attn_out.
  std::string result_label(int value) const {
    const std::string& name = graph_.value(value).name;
    if (is_distances(name)) return "distances";
    if (is_encoders(name)) return "encoder output";
    if (is_texts(name)) return "text vector";
    const auto in_its_layer = [](const std::string& of) {
      const size_t layer =
          of.starts_with("blocks.") ? of.find('.', std::string_view("blocks.").size()) : of.npos;
      return layer == of.npos ? of : of.substr(layer + 1);
    };
    // Of blocks that are drawn once, the first one's stands for the last one's.
    const int last = graph_.find("last_hidden_state");
    if (last >= 0 && in_its_layer(graph_.value(last).name) == in_its_layer(name)) return "last hidden state";
    return clean(in_its_layer(name));
  }

  void add_results() {
    const size_t count = out_.nodes.size();
    for (size_t i = 0; i < count; ++i) {
      if (gone_[i] || out_.nodes[i].kind != Node::Kind::stage) continue;
      const int from = static_cast<int>(i);
      if (std::any_of(out_.edges.begin(), out_.edges.end(), [&](const Edge& e) { return e.from == from; }))
        continue;
      const int value = after_views(value_[i]);
      const int to = add({Node::Kind::result, graph_.value(value).name + " (result)", result_label(value), "",
                          "", Role::plain, out_.nodes[i].order, false},
                         value_[i]);
      out_.edges.push_back({from, to, value_[i], false, true});
    }
  }

  // ---- residual paths

  // The longest way from each node to `to`, in edges, at most k_long; -1 where there is none.  Edges stand in
  // the order of the stages they enter, so that one pass from the last to the first finds most.
  static constexpr int k_long = 3;
  std::vector<int> distances_to(int to) const {
    std::vector<int> far(out_.nodes.size(), -1);
    far[static_cast<size_t>(to)] = 0;
    for (bool changed = true; changed;) {
      changed = false;
      for (auto e = out_.edges.rbegin(); e != out_.edges.rend(); ++e) {
        const int beyond = far[static_cast<size_t>(e->to)], here = std::min(beyond + 1, k_long);
        int& known = far[static_cast<size_t>(e->from)];
        if (beyond >= 0 && known < here) known = here, changed = true;
      }
    }
    return far;
  }

  // An edge that skips two stages or more, between equal shapes, into a stage that also takes what it
  // skipped.
  void mark_residuals() {
    std::vector<int> entering(out_.nodes.size(), 0);
    for (const Edge& e : out_.edges) ++entering[static_cast<size_t>(e.to)];
    for (Edge& e : out_.edges)
      if (e.steady && entering[static_cast<size_t>(e.to)] > 1 &&
          out_.nodes[static_cast<size_t>(e.to)].kind == Node::Kind::stage)
        e.residual = distances_to(e.to)[static_cast<size_t>(e.from)] >= k_long;
  }

  // "Add & Norm", as the textbook draws it: the stage that ends a residual path, and the one that alone goes
  // on from it.
  void join_add_and_norm() {
    for (size_t i = 0; i < out_.nodes.size(); ++i) {
      const int add = static_cast<int>(i);
      std::vector<const Edge*> in, out;
      for (const Edge& e : out_.edges) {
        if (e.to == add && e.residual) in.push_back(&e);
        if (e.from == add) out.push_back(&e);
      }
      if (in.empty() || out.size() != 1 || !out[0]->steady) continue;
      const int next = out[0]->to;
      Node &sum = out_.nodes[i], &norm = out_.nodes[static_cast<size_t>(next)];
      const auto enters = [&](const Edge& e) { return e.to == next; };
      if (norm.kind != Node::Kind::stage || scope_of(sum.name) != scope_of(norm.name) ||
          std::count_if(out_.edges.begin(), out_.edges.end(), enters) != 1)
        continue;
      norm.label = sum.label + " & " + norm.label;
      norm.equation = sum.equation + "; " + norm.equation;
      norm.caption = sum.caption + " " + norm.caption;
      norm.parameters += sum.parameters;
      std::erase_if(out_.edges, enters);
      for (Edge& e : out_.edges)
        if (e.to == add) e.to = next;
      gone_[i] = true;
      drawn_as_[add] = next;
    }
  }

  // ---- edits

  // The node that shows a value: its giver, or what that is drawn as.
  int shown_as(int id) {
    id = blocks_.same[static_cast<size_t>(id)];
    while (graph_.value(id).stage >= 0 && node_of_stage_[static_cast<size_t>(graph_.value(id).stage)] < 0) {
      const StageInfo& stage = graph_.stage(graph_.value(id).stage);
      if (!silent_view(graph_, stage)) return -1;
      id = blocks_.same[static_cast<size_t>(stage.inputs[0])];
    }
    const int stage = graph_.value(id).stage;
    int node = -1;
    if (stage >= 0)
      node = node_of_stage_[static_cast<size_t>(stage)];
    else if (const auto known = inputs_.lower_bound({id, Place::rest});
             known != inputs_.end() && known->first.first == id)
      node = known->second;
    for (auto as = drawn_as_.find(node); as != drawn_as_.end(); as = drawn_as_.find(node)) node = as->second;
    return node;
  }

  // "blocks.2" of blocks.2.attn.q, where it is one of several that are drawn as one; else "".
  std::string repetition_of(int id) const {
    const int same = blocks_.same[static_cast<size_t>(id)];
    const auto stands_for_another = [&](const Repeat& repeat) {
      return graph_.value(id).name.starts_with(repeat.family + ".") && repeat.repeats * repeat.count > 1;
    };
    if (same == id && std::none_of(blocks_.repeats.begin(), blocks_.repeats.end(), stands_for_another))
      return "";
    const std::string& name = graph_.value(id).name;
    const size_t dot = name.find('.'), end = dot == name.npos ? dot : name.find('.', dot + 1);
    if (end == name.npos) return "";
    return name.starts_with("blocks.") ? "layer " + name.substr(dot + 1, end - dot - 1) : name.substr(0, end);
  }

  // Marks the boxes whose values were edited and severs what enters them; of a closed block only its box is
  // marked, unless it is what the block gives that was edited.
  void mark_edits(const std::map<std::string, std::string>& edited) {
    struct Said {
      std::string where, words;
    };
    std::map<int, std::vector<Said>> by_node;
    for (const auto& [name, words] : edited) {
      const int id = graph_.find(name);
      const int node = id < 0 ? -1 : shown_as(id);
      if (node < 0) continue;
      by_node[node].push_back({repetition_of(id), words});
      const bool inside = closed_.count(node) > 0 &&
                          blocks_.same[static_cast<size_t>(id)] != value_[static_cast<size_t>(node)];
      for (Edge& e : out_.edges)
        if (e.to == node && !inside) e.severed = true;
    }
    for (const auto& [node, all] : by_node) {
      std::string& out = out_.nodes[static_cast<size_t>(node)].edit;
      const bool alike = std::all_of(
          all.begin(), all.end(), [&first = all[0]](const Said& each) { return each.words == first.words; });
      if (alike && all.size() > 1) {
        out = all[0].words + (all[0].where.empty() ? "" : join(", in ", all.size(), " layers"));
        continue;
      }
      for (const Said& each : all)
        out += (out.empty() ? "" : "; ") + (each.where.empty() ? "" : each.where + ": ") + each.words;
    }
  }

  // ---- the end

  // The outline without the nodes that are gone, framed.
  Outline finished() const {
    Outline kept;
    std::vector<int> place;
    for (size_t i = 0; i < out_.nodes.size(); ++i) {
      place.push_back(gone_[i] ? -1 : static_cast<int>(kept.nodes.size()));
      if (!gone_[i]) kept.nodes.push_back(out_.nodes[i]);
    }
    const auto at = [&](int node) { return place[static_cast<size_t>(node)]; };
    for (const Edge& e : out_.edges)
      if (at(e.from) >= 0 && at(e.to) >= 0)
        kept.edges.push_back({at(e.from), at(e.to), e.value, e.residual, e.steady, e.severed});
    add_frames(kept, graph_, blocks_, shown_);
    put_second_behind(kept);
    return kept;
  }

  // The decoder stands behind the encoder's output, and the images' tower behind the texts', so that neither
  // runs beside the other.
  void put_second_behind(Outline& outline) const {
    int last = -1, first = -1;
    for (size_t i = 0; i < outline.nodes.size(); ++i) {
      const Node& node = outline.nodes[i];
      const int here = static_cast<int>(i);
      if (node.kind == Node::Kind::result && (is_encoders(node.name) || is_texts(node.name))) last = here;
      if (node.kind == Node::Kind::input && node.name == (pairs_ ? "pixels" : "tokens")) first = here;
    }
    if (last >= 0 && first >= 0) outline.behind.emplace_back(last, first);
  }

  const Graph& graph_;
  bool encodes_, pairs_;
  Blocks blocks_;
  std::vector<bool> shown_;                      // by stage
  std::vector<int> node_of_stage_;               // by stage, -1: none
  std::map<std::pair<int, Place>, int> inputs_;  // value, where it is read -> node
  int sentence_ = -1;                            // the node of the words
  Outline out_;
  std::map<int, int> drawn_as_;  // nodes that are gone -> the node that shows their value
  std::set<int> closed_;         // nodes that are closed blocks
  std::vector<int> value_;       // by node: its main value
  std::set<int> counted_;        // parameters
  std::vector<bool> gone_;       // by node
};

}  // namespace

Outline outline_of(const Graph& graph, const std::vector<std::string>& open,
                   const std::map<std::string, std::string>& edited) {
  return Outliner(graph, open).make(edited);
}

}  // namespace limpid::draw
