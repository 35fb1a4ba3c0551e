#include "draw/layout/blocks.h"

#include <algorithm>
#include <map>

namespace limpid::draw {

namespace {

struct Place {
  std::string family, rest;
  int64_t number = -1;  // -1: not in a block
};

// "blocks.12.attn.q" is attn.q of block 12 of the family "blocks".
Place place_of(const std::string& name) {
  for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    const size_t end = name.find('.', dot + 1);
    if (end == std::string::npos || end == dot + 1 || end - dot > 9) continue;
    const std::string part = name.substr(dot + 1, end - dot - 1);
    if (part.find_first_not_of("0123456789") != std::string::npos) continue;
    return {name.substr(0, dot), name.substr(end + 1), std::stoll(part)};
  }
  return {};
}

struct Block {
  int64_t number = 0;
  std::vector<int> stages;
  std::vector<std::string> names;  // of the stages, within the block
};

using Families = std::map<std::string, std::map<int64_t, Block>>;

Families families_of(const Graph& graph, const std::vector<bool>& left_out) {
  Families families;
  for (size_t i = 0; i < graph.stages().size(); ++i) {
    if (left_out[i]) continue;
    const Place place = place_of(graph.stages()[i].name);
    if (place.number < 0) continue;
    Block& block = families[place.family][place.number];
    block.number = place.number;
    block.stages.push_back(static_cast<int>(i));
    block.names.push_back(place.rest);
  }
  return families;
}

// Takes from `block` the stages at its start that `next` does not have.
void drop_entry(const Graph& graph, Block& block, const Block& next) {
  std::vector<bool> taken(graph.stages().size(), false);
  Block kept = {block.number, {}, {}};
  for (size_t i = 0; i < block.stages.size(); ++i) {
    const StageInfo& stage = graph.stage(block.stages[i]);
    const bool known = std::find(next.names.begin(), next.names.end(), block.names[i]) != next.names.end();
    const bool first = std::none_of(stage.inputs.begin(), stage.inputs.end(), [&](int id) {
      const int from = graph.value(id).stage;
      return from >= 0 && !taken[static_cast<size_t>(from)] &&
             std::find(block.stages.begin(), block.stages.end(), from) != block.stages.end();
    });
    if (!known && first) {
      taken[static_cast<size_t>(block.stages[i])] = true;
    } else {
      kept.stages.push_back(block.stages[i]);
      kept.names.push_back(block.names[i]);
    }
  }
  if (!kept.stages.empty()) block = kept;
}

// What a block's inputs are, so that two blocks can be compared: a place in the block, or one of the values
// that come from outside, numbered as they are met.
class Sources {
 public:
  Sources(const Graph& graph, const Block& block) : graph_(graph) {
    for (size_t i = 0; i < block.stages.size(); ++i) place_[block.stages[i]] = static_cast<int64_t>(i);
  }
  std::vector<int64_t> of(int id) {
    const Value& value = graph_.value(id);
    if (value.kind == Value::Kind::parameter) return {-1};
    if (const auto inside = place_.find(value.stage); inside != place_.end())
      return {inside->second, value.output};
    return {-2, outside_.try_emplace(id, static_cast<int64_t>(outside_.size())).first->second};
  }

 private:
  const Graph& graph_;
  std::map<int, int64_t> place_, outside_;
};

// Whether a figure could not tell the two apart: they say the same and are wired the same.
bool alike(const Graph& graph, const Block& a, const Block& b) {
  if (a.names != b.names) return false;
  Sources from_a(graph, a), from_b(graph, b);
  for (size_t i = 0; i < a.stages.size(); ++i) {
    const StageInfo &x = graph.stage(a.stages[i]), &y = graph.stage(b.stages[i]);
    if (x.label() != y.label() || x.equation() != y.equation() || x.role != y.role ||
        (x.group < 0) != (y.group < 0) || x.inputs.size() != y.inputs.size() ||
        x.outputs.size() != y.outputs.size())
      return false;
    for (size_t k = 0; k < x.inputs.size(); ++k)
      if (from_a.of(x.inputs[k]) != from_b.of(y.inputs[k]) ||
          graph.value(x.inputs[k]).shape != graph.value(y.inputs[k]).shape)
        return false;
  }
  return true;
}

// For each block the number of its kind: the same for blocks that are alike.
std::vector<size_t> kinds_of(const Graph& graph, const std::vector<Block>& blocks) {
  constexpr size_t k_most_kinds = 64;  // where there are so many, a block is compared with no more of them
  std::vector<size_t> kinds, examples;
  for (size_t i = 0; i < blocks.size(); ++i) {
    size_t kind = 0;
    while (kind < examples.size() && !alike(graph, blocks[examples[kind]], blocks[i])) ++kind;
    if (kind == examples.size() && kind < k_most_kinds) examples.push_back(i);
    if (kind == k_most_kinds) kind += i;  // like no other
    kinds.push_back(kind);
  }
  return kinds;
}

struct Run {
  size_t count = 1, repeats = 1;
};

// The longest repetition that starts at `first`, of at most eight blocks at a time.
Run longest_run(const std::vector<Block>& blocks, const std::vector<size_t>& kinds, size_t first) {
  // A block is drawn for those after it only where it stands before them in the graph too; else what reads a
  // later one would read, in the figure, what is computed after it.
  const auto follows = [&](size_t i) {
    return blocks[i].number == blocks[i - 1].number + 1 &&
           blocks[i - 1].stages.back() < blocks[i].stages.front();
  };
  Run best;
  for (size_t count = 1; count <= 8; ++count) {
    if (count > 1 && (first + count > kinds.size() || !follows(first + count - 1))) break;
    size_t end = first + count;
    while (end < kinds.size() && kinds[end] == kinds[end - count] && follows(end)) ++end;
    const size_t repeats = end <= kinds.size() ? (end - first) / count : 0;
    if (repeats > 1 && repeats * count > (best.repeats > 1 ? best.repeats * best.count : 0))
      best = {count, repeats};
  }
  return best;
}

void collapse(const Graph& graph, const std::string& family, const std::vector<Block>& blocks,
              const std::vector<std::string>& open, Blocks& out) {
  std::vector<size_t> kinds = kinds_of(graph, blocks);
  const auto opened = [&](const Block& block) {
    return std::find(open.begin(), open.end(), join(family, ".", block.number)) != open.end();
  };
  for (size_t i = 0; i < blocks.size(); ++i)
    if (opened(blocks[i])) kinds[i] = 2 * blocks.size() + i + 64;  // like no other
  for (size_t first = 0; first < blocks.size();) {
    const Run run = longest_run(blocks, kinds, first);
    Repeat repeat = {
        family, blocks[first].number, static_cast<int64_t>(run.count), static_cast<int64_t>(run.repeats), {}};
    repeat.open = open.empty() || opened(blocks[first]);
    for (size_t i = 0; i < run.count * run.repeats; ++i) {
      const Block &block = blocks[first + i], &drawn = blocks[first + i % run.count];
      for (size_t k = 0; k < block.stages.size(); ++k) {
        if (i < run.count) {
          repeat.stages.push_back(block.stages[k]);
          continue;
        }
        out.hidden[static_cast<size_t>(block.stages[k])] = true;
        const std::vector<int>&from = graph.stage(block.stages[k]).outputs,
              &to = graph.stage(drawn.stages[k]).outputs;
        for (size_t o = 0; o < from.size(); ++o) out.same[static_cast<size_t>(from[o])] = to[o];
      }
    }
    if (run.repeats > 1 || !open.empty()) out.repeats.push_back(std::move(repeat));
    first += run.count * run.repeats;
  }
}

void require_block(const Families& families, const std::string& name) {
  if (name == "none") return;
  std::string there;
  for (const auto& [family, numbered] : families)
    for (const auto& [number, block] : numbered) {
      if (name == join(family, ".", number)) return;
      if (number == numbered.begin()->first || number == numbered.rbegin()->first)
        there += join(there.empty()                       ? ""
                      : number == numbered.begin()->first ? ", "
                                                          : " to ",
                      family, ".", number);
    }
  fail_call("open ", name, ": there is no such block; this network has ",
            there.empty() ? "no blocks" : there);
}

}  // namespace

Blocks find_blocks(const Graph& graph, const std::vector<bool>& left_out,
                   const std::vector<std::string>& open) {
  Blocks out;
  out.hidden.assign(graph.stages().size(), false);
  for (size_t i = 0; i < graph.values().size(); ++i) out.same.push_back(static_cast<int>(i));
  Families families = families_of(graph, left_out);
  for (const std::string& name : open) require_block(families, name);
  for (auto& [family, numbered] : families) {
    std::vector<Block> blocks;
    for (auto& [number, block] : numbered) blocks.push_back(std::move(block));
    if (blocks.size() > 1) drop_entry(graph, blocks[0], blocks[1]);
    collapse(graph, family, blocks, open, out);
  }
  return out;
}

}  // namespace limpid::draw
