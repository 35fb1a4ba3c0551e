// limpid generate --lines: many texts side by side, each as it would be alone.
#include <cstdio>

#include "limpid/chat.h"
#include "limpid/generate.h"

namespace limpid::command {

namespace {

// A line's text as it is written.
struct Line {
  Written begun;
  std::string written;
  std::vector<int64_t> ids;
  std::vector<double> probabilities;
};

void print_line(const GenerateCall& call, const std::string& given, const Line& line,
                const GenerateOptions& options, const Terminal& terminal) {
  if (call.json) {
    Json json = {{"prompt", json_of_text(given)},
                 {"text", json_of_text(line.written)},
                 {"ids", line.ids},
                 {"probabilities", line.probabilities}};
    json.update(settings_json(options));
    print(json.dump() + "\n");
  } else {
    const std::string text = line.begun.shown + line.written;
    print((terminal.output ? tame(text) : text) + "\n");
  }
  flush_output();
}

}  // namespace

void generate_lines(const GenerateCall& call, const Model& model, const std::vector<std::string>& lines,
                    GenerateOptions options, const Terminal& terminal) {
  int64_t outgrown = 0;
  options.on_slide = [&](int64_t context) { outgrown = context; };
  if (call.chat) options.ends = chat_ends(model);
  std::vector<Line> all;
  std::vector<std::vector<int64_t>> prompts;
  for (const std::string& given : lines) {
    all.push_back({begun(model, call, given), "", {}, {}});
    prompts.push_back(all.back().begun.prompt);
  }
  const std::vector<std::vector<int64_t>> ids =
      model.generate_batch(prompts, options, call.batch, [&](size_t text, const GeneratedToken& token) {
        all[text].written += token.piece;
        all[text].probabilities.push_back(token.probability);
      });
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].ids = ids[i];
    all[i].probabilities.resize(ids[i].size());  // the token that ends a text is none of it
    if (i > 0 && !call.json) print("\n");
    print_line(call, lines[i], all[i], options, terminal);
  }
  if (outgrown == 0 || call.json) return;
  std::fprintf(stderr,
               "limpid: note: a text outgrew the %lld tokens that the model reads at a time; it went on from "
               "the latest of them\n",
               static_cast<long long>(outgrown));
}

}  // namespace limpid::command
