#include "train/head_kinds.h"

#include <algorithm>
#include <cstdio>

namespace limpid {

namespace {

// With its article.
std::string_view called(HeadKind kind) {
  switch (kind) {
    case HeadKind::mixed:
      return "a mixed head";
    case HeadKind::previous:
      return "a previous-token head";
    case HeadKind::first:
      return "a first-token head";
    case HeadKind::self:
      return "a self head";
    case HeadKind::duplicate:
      return "a duplicate-token head";
    case HeadKind::induction:
      return "an induction head";
    case HeadKind::positional:
      return "a positional head";
  }
  return "";
}

std::string fixed_score(double score) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", score);
  return text;
}

// Of this kind at an earlier report.
bool was_before(const std::vector<Epoch>& history, const SeenHead& now) {
  return std::any_of(history.begin(), history.end() - 1, [&](const Epoch& e) {
    return std::any_of(e.heads.begin(), e.heads.end(), [&](const SeenHead& head) {
      return head.attention == now.attention && head.head == now.head && head.kind == now.kind;
    });
  });
}

}  // namespace

std::vector<SeenHead> heads_now(const Model& model) {
  HeadReport report;
  try {
    report = measure_heads(model);
  } catch (const Error& error) {  // it reads too few tokens, say: training goes on
    if (error.kind() != Error::Kind::call) throw;
    return {};
  }
  std::vector<SeenHead> out;
  for (const HeadScores& head : report.heads)
    out.push_back({head.attention, head.layer, head.head, head.kind, head.score});
  return out;
}

Json json_of(const std::vector<SeenHead>& heads) {
  Json out = Json::array();
  for (const SeenHead& head : heads)
    out.push_back({{"attention", head.attention},
                   {"layer", head.layer},
                   {"head", head.head},
                   {"kind", name(head.kind)},
                   {"score", head.score}});
  return out;
}

std::vector<SeenHead> heads_from(const JsonValue& json) {
  std::vector<SeenHead> out;
  json.each_item([&](const JsonValue& each) {
    out.push_back({each.at("attention").text(), each.at("layer").integer(0, k_json_most_count),
                   each.at("head").integer(0, k_json_most_count), head_kind_named(each.at("kind").text()),
                   each.at("score").real()});
  });
  return out;
}

std::vector<std::string> new_kinds(const std::vector<Epoch>& history, size_t most) {
  std::vector<std::string> out;
  if (history.size() < 2) return out;
  const Epoch& now = history.back();
  size_t more = 0;
  for (const SeenHead& head : now.heads) {
    if (head.kind == HeadKind::mixed || was_before(history, head)) continue;
    if (out.size() == most) {
      ++more;
      continue;
    }
    const bool encoder = head.attention.starts_with("encoder.");
    out.push_back(join("step ", now.step, ": head ", head.head, " of ", encoder ? "the encoder's " : "",
                       "layer ", head.layer, " became ", called(head.kind), " (", fixed_score(head.score),
                       ")"));
  }
  if (more > 0)
    out.push_back(
        join("step ", now.step, ": ", more, more == 1 ? " more head" : " more heads", " became of a kind"));
  return out;
}

}  // namespace limpid
