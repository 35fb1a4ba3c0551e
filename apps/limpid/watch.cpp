#include "limpid/watch.h"

#include <algorithm>

#include "core/label.h"
#include "core/width.h"
#include "limpid/commands.h"
#include "limpid/run_bar.h"

namespace limpid::command {

namespace {

constexpr int k_token_columns = 16;
constexpr size_t k_shown = 3;  // heads a line

std::string two_digits(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", x);
  return text;
}

// "3.2" of head 2 of blocks.3.attn, "3.2x" of blocks.3.cross_attn.
std::string name_of(const HeadLook& look) {
  const size_t first = look.attention.find('.'), second = look.attention.find('.', first + 1);
  const std::string layer =
      first == std::string::npos ? "0" : look.attention.substr(first + 1, second - first - 1);
  return join(layer, ".", look.head, look.attention.ends_with("cross_attn") ? "x" : "");
}

// The largest weight on a token that tells something: the first takes what a head has no use for, and every
// token sees itself.  Its place in the list, or -1.
int telling(const HeadLook& look, int64_t latest) {
  const bool cross = look.attention.ends_with("cross_attn");
  for (size_t i = 0; i < look.keys.size(); ++i)
    if (cross || (look.keys[i] != 0 && look.keys[i] != latest)) return static_cast<int>(i);
  return -1;
}

}  // namespace

WatchPrinter::WatchPrinter(const Model& model, const Terminal& terminal, std::vector<int64_t> given,
                           std::vector<int64_t> source)
    : model_(model), terminal_(terminal), text_(std::move(given)), source_(std::move(source)) {}

void WatchPrinter::print_head() const {
  print(pad_to_width("token", k_token_columns) +
        "     p  entropy    layer.head, what it looks at and how much\n");
}

std::string WatchPrinter::place(const HeadLook& look) const {
  const int at = telling(look, static_cast<int64_t>(text_.size()) - 1);
  const int64_t key = look.keys[static_cast<size_t>(at)];
  const auto& list = look.attention.ends_with("cross_attn") ? source_ : text_;
  const std::string label = key < static_cast<int64_t>(list.size())
                                ? model_.tokenizer()->label(list[static_cast<size_t>(key)])
                                : std::string();
  return join(name_of(look), " \"", clip_to_width(visible_line(label), 14), "\" ",
              two_digits(look.weights[static_cast<size_t>(at)]));
}

void WatchPrinter::show(const GeneratedToken& token) {
  std::vector<const HeadLook*> sharp;
  double least = 0, most = 0;
  const int64_t latest = static_cast<int64_t>(text_.size()) - 1;
  for (size_t i = 0; i < token.looks.size(); ++i) {
    const HeadLook& look = token.looks[i];
    least = i ? std::min(least, look.entropy) : look.entropy;
    most = std::max(most, look.entropy);
    if (telling(look, latest) >= 0) sharp.push_back(&look);
  }
  const auto weight = [&](const HeadLook* look) {
    return look->weights[static_cast<size_t>(telling(*look, latest))];
  };
  std::stable_sort(sharp.begin(), sharp.end(),
                   [&](const HeadLook* a, const HeadLook* b) { return weight(a) > weight(b); });
  std::string line = pad_to_width(
      clip_to_width(visible_line(model_.tokenizer()->label(token.id)), k_token_columns - 1), k_token_columns);
  line += join("  ", two_digits(token.probability), "  ", two_digits(least), "-", two_digits(most), "  ");
  const auto columns = static_cast<size_t>(std::max(60, terminal_.columns));
  for (size_t i = 0; i < std::min(k_shown, sharp.size()); ++i) {
    const std::string more = join("  ", place(*sharp[i]));
    if (display_width(line) + display_width(more) <= columns) line += more;
  }
  print(line + "\n");
  flush_output();
  text_.push_back(token.id);
}

Json looks_json(const std::vector<HeadLook>& looks) {
  Json all = Json::array();
  for (const HeadLook& look : looks)
    all.push_back({{"attention", look.attention},
                   {"head", look.head},
                   {"entropy", look.entropy},
                   {"keys", look.keys},
                   {"weights", look.weights}});
  return all;
}

Trace trace_of_written(const Model& model, const std::vector<int64_t>& source,
                       const std::vector<int64_t>& text, const Terminal& terminal) {
  constexpr size_t k_whole = 256;  // tokens up to which everything is kept
  RunBar bar(terminal);
  TraceOptions options;
  options.progress = [&](double done, const std::string& next) { bar.show(done, next); };
  if (text.size() > k_whole)
    for (const GroupInfo& group : model.graph().groups())
      if (model.graph().find(group.name + ".pattern") >= 0)
        for (const Depth depth : {Depth::top, Depth::entropy, Depth::map})
          options.observe.push_back({group.name + ".pattern", depth});
  // Of a text that outgrew the context, what the model read at the end.
  const int64_t context = context_of(model.config()), count = static_cast<int64_t>(text.size());
  const std::vector<int64_t> latest = {text.end() - std::min(count, context), text.end()};
  if (source.empty()) return model.trace(latest, options);
  options.target = text;
  return model.trace(source, options);
}

}  // namespace limpid::command
