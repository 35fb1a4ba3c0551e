// limpid translate: what an encoder-decoder writes beside a text.
#include "core/label.h"
#include "limpid/commands.h"
#include "limpid/run_bar.h"
#include "limpid/tasks.h"
#include "limpid/texts.h"

namespace limpid::command {

namespace {

struct TranslateCall : TaskCall {
  TranslateOptions options;
  std::vector<int64_t> ids;
};

Json translated_json(const Translated& t) {
  return {{"text", t.text}, {"translation", t.translation},         {"source_ids", t.source},
          {"ids", t.ids},   {"log_probability", t.log_probability}, {"ended", t.ended}};
}

// The translation, or the tokens where there is no tokenizer to say them.
std::string said(const Translated& t, const Model& model) {
  if (model.tokenizer()) return visible_line(t.translation);
  std::string out;
  for (int64_t id : t.ids) out += join(out.empty() ? "" : " ", id);
  return out;
}

void run(const TranslateCall& call, const Terminal& terminal) {
  if (!call.ids.empty() && (!call.lines.empty() || !call.arguments.empty()))
    fail_call("--ids is a text; leave the others out");
  const std::vector<std::string> texts = call.ids.empty() ? texts_of(call) : std::vector<std::string>{};
  const Model model = open_model(call.model);
  TranslateOptions options = call.options;
  std::optional<RunBar> bar(std::in_place, terminal);
  options.progress = [&](double done, const std::string& next) { bar->show(done, next); };
  const std::vector<Translated> all =
      call.ids.empty() ? translate(model, texts, options) : std::vector{translate(model, call.ids, options)};
  bar.reset();  // gone before the result stands there
  TraceOptions traced;
  traced.target = std::vector<int64_t>{model.tasks().writing->start};
  traced.target->insert(traced.target->end(), all[0].ids.begin(), all[0].ids.end());
  const bool as_encoded =
      call.ids.empty() && (call.trace.empty() || all[0].source == model.encode(all[0].text));
  if (as_encoded)
    save_trace(call, model, all[0].text, traced, terminal);
  else if (!call.trace.empty())
    save(model.trace(all[0].source, traced), call.trace);
  if (call.json) {
    Json list = Json::array();
    for (const Translated& t : all) list.push_back(translated_json(t));
    return print(json_text({{"model", visible_line(model.title())}, {"texts", std::move(list)}}));
  }
  std::vector<std::string> notes;
  for (size_t i = 0; i < all.size(); ++i) {
    print(said(all[i], model) + "\n");
    if (!all[i].ended)
      notes.push_back(join(all.size() == 1 ? "the text" : join("text ", i + 1), " was cut after ",
                           all[i].ids.size(),
                           " tokens, which the model had not ended; --tokens gives it more"));
  }
  print_notes(notes);
}

}  // namespace

Work add_translate(CLI::App& app) {
  auto call = std::make_shared<TranslateCall>();
  CLI::App* sub =
      app.add_subcommand("translate", "What an encoder-decoder (T5, BART, Marian) writes beside a text.");
  add_task_options(*sub, *call);
  sub->add_option(
         "--beams", call->options.beams,
         "Texts written side by side, of which the likeliest stays; 1: the likeliest token each time (as the "
         "model's folder says).")
      ->check(CLI::Range(1, 64).description(""))
      ->type_name("N");
  sub->add_option("--length-penalty", call->options.length_penalty,
                  "A text's log probability is divided by its tokens to this power (as the model's folder "
                  "says, else 1).")
      ->type_name("X");
  sub->add_option("--tokens", call->options.tokens,
                  "Writes at most so many tokens (three for each that is read, and 20).")
      ->check(CLI::Range(1, 1000000).description(""))
      ->type_name("N");
  sub->add_option_function<std::string>(
         "--ids", [call](const std::string& list) { call->ids = ids_of("--ids", list); },
         "Token ids instead of a text, for a model that has no tokenizer: 12,7,1.")
      ->type_name("IDS");
  sub->add_option(
         "--to", call->options.to,
         "The language to write, as the tokenizer calls it: fr (M2M-100), fr_XX (mBART-50), fra_Latn "
         "(NLLB), fra (Marian, where it writes several).")
      ->type_name("LANG");
  sub->add_option("--from", call->options.from,
                  "The language of the text, likewise (as the model's folder says).")
      ->type_name("LANG");
  sub->footer(
      "One line for each text.  --trace keeps the run that reads the first text and\n"
      "what was written: its blocks.N.cross_attn.pattern says which word of the source\n"
      "each word looks at.\n\n"
      "Examples:\n"
      "  limpid translate \"summarize: Life is short.\" --model flan-t5-small\n"
      "  limpid translate --lines texts.txt --model bart-large-cnn --beams 4 --json\n"
      "  limpid translate \"Life is short.\" --model m2m100_418M --from en --to fr\n"
      "  limpid translate --ids 132,9,412,0 --model opus-mt-de-en\n");
  return [call](const Terminal& terminal) { run(*call, terminal); };
}

}  // namespace limpid::command
