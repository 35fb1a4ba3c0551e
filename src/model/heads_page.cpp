// Kinds of heads for a terminal and for programs.
#include <algorithm>
#include <cmath>
#include <set>

#include "core/json.h"
#include "core/number_text.h"
#include "core/width.h"
#include "limpid/heads.h"

namespace limpid {

namespace {

std::string fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

// Heads of one attention, as they stand in the report.
struct LayerHeads {
  std::string attention;
  std::vector<const HeadScores*> heads;
};

std::vector<LayerHeads> groups_of(const HeadReport& report) {
  std::vector<LayerHeads> out;
  for (const HeadScores& head : report.heads) {
    if (out.empty() || out.back().attention != head.attention) out.push_back({head.attention, {}});
    out.back().heads.push_back(&head);
  }
  return out;
}

std::string without_end(std::string text) {
  while (text.ends_with(' ')) text.pop_back();
  return text + "\n";
}

constexpr size_t k_cell = 17;

// A line a layer, a column a head; as many heads side by side as there is room for.
std::string table(const std::vector<LayerHeads>& groups, size_t columns) {
  size_t most = 0, names = 0;
  for (const LayerHeads& group : groups) {
    most = std::max(most, group.heads.size());
    names = std::max(names, display_width(group.attention));
  }
  names = std::min(names + 2, std::max<size_t>(columns, 30) - k_cell);
  const size_t beside = std::max<size_t>(1, (columns - names) / k_cell);
  std::string out;
  for (size_t first = 0; first < most; first += beside) {
    std::string line = std::string(names, ' ');
    const size_t end = std::min(most, first + beside);
    for (size_t h = first; h < end; ++h) line += pad_to_width(join("head ", h), k_cell);
    out += (first > 0 ? "\n" : "") + without_end(line);
    for (const LayerHeads& group : groups) {
      if (first >= group.heads.size()) continue;
      line = pad_to_width(clip_to_width(group.attention, names - 1), names);
      for (size_t h = first; h < std::min(end, group.heads.size()); ++h)
        line += pad_to_width(join(name(group.heads[h]->kind), " ", fixed(group.heads[h]->score)), k_cell);
      out += without_end(line);
    }
  }
  return out;
}

std::string score_text(const std::optional<double>& score) { return score ? fixed(*score) : "-"; }

std::string all_scores(const std::vector<LayerHeads>& groups, size_t columns) {
  std::string out = "previous, first, self, duplicate, induction, positional, entropy:\n";
  for (const LayerHeads& group : groups)
    for (const HeadScores* h : group.heads) {
      std::string line = pad_to_width(join(group.attention, " head ", h->head), 26);
      for (const auto& score :
           {h->previous, h->first, std::optional<double>(h->self), h->duplicate, h->induction,
            std::optional<double>(h->positional), std::optional<double>(h->entropy)})
        line += pad_to_width(score_text(score), 6);
      out += without_end(clip_to_width(line + std::string(name(h->kind)), columns));
    }
  return out;
}

std::string heading(const HeadReport& r) {
  if (r.read != "tokens") return join("Where heads look, in ", r.rows, " drawn ", r.read, " of noise:\n\n");
  return join("Where heads look, in ", r.rows, " drawn texts that say up to ", r.block, " tokens twice:\n\n");
}

nlohmann::ordered_json json_of(const HeadScores& h) {
  nlohmann::ordered_json out = {{"attention", h.attention},   {"layer", h.layer},    {"head", h.head},
                                {"kind", name(h.kind)},       {"score", h.score},    {"self", h.self},
                                {"positional", h.positional}, {"entropy", h.entropy}};
  const std::pair<const char*, std::optional<double>> others[] = {
      {"previous", h.previous}, {"first", h.first}, {"duplicate", h.duplicate}, {"induction", h.induction}};
  for (const auto& [key, score] : others)
    if (score) out[key] = *score;
  return out;
}

}  // namespace

std::string page(const HeadReport& report, const PageOptions& options, bool all) {
  const auto columns = static_cast<size_t>(std::max(options.columns, 30));
  const std::vector<LayerHeads> groups = groups_of(report);
  std::string out = heading(report) + (all ? all_scores(groups, columns) : table(groups, columns)) + "\n";
  std::set<HeadKind> seen;
  for (const HeadScores& head : report.heads) seen.insert(head.kind);
  for (const HeadKind kind : seen)
    out += without_end(
        clip_to_width(pad_to_width(std::string(name(kind)), 12) + std::string(explanation(kind)), columns));
  return out;
}

std::string to_json(const HeadReport& report) {
  nlohmann::ordered_json out = {{"read", report.read},           {"rows", report.rows},
                                {"block", report.block},         {"seed", report.seed},
                                {"threshold", k_head_threshold}, {"heads", nlohmann::ordered_json::array()}};
  for (const HeadScores& head : report.heads) out["heads"].push_back(json_of(head));
  return out.dump() + "\n";
}

}  // namespace limpid
