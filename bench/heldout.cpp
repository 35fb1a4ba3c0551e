// bench_heldout: the loss of a model on the text held out from its training, in nats per character, beside
// n-grams of the same tokens trained on the same text.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/measure/program.h"
#include "bench/ngram.h"
#include "bench/score.h"
#include "limpid/files.h"

namespace limpid::bench {
namespace {

struct Call {
  std::string recipe = "recipes/builtin.json";
  std::string data = "../shared/data/text";
  std::string model, json;
  int order = 3;
};

// One predictor and its score on each text.
struct Column {
  std::string name, key;
  std::vector<Score> scores;
};

Score score_ngram(const NGram& model, const SplitText& text) {
  // What stands before the held-out part is known, as it is to a reader.
  return {negative_log_likelihood(model, text.training, text.held_out, 1),
          static_cast<int64_t>(text.held_out.size()) - 1, text.characters};
}

std::string ngram_name(int order) {
  const char* const names[] = {"unigram", "bigram", "trigram"};
  return order <= 3 ? names[order - 1] : std::to_string(order) + "-gram";
}

Score total(const Column& column) {
  Score sum;
  for (const Score& score : column.scores) sum += score;
  return sum;
}

std::vector<Column> predictors(Model& model, const Recipe& recipe, const std::vector<SplitText>& texts,
                               int order) {
  std::vector<Column> all;
  Column plain{"model", "model", {}}, overlapping{"overlapping", "model_overlapping", {}};
  for (const SplitText& text : texts) {
    plain.scores.push_back(score_model(model, text, recipe.context, recipe.context));
    overlapping.scores.push_back(
        score_model(model, text, recipe.context, std::max<int64_t>(1, recipe.context / 2)));
  }
  all.push_back(std::move(plain));
  all.push_back(std::move(overlapping));
  std::vector<std::vector<int64_t>> training;
  for (const SplitText& text : texts) training.push_back(text.training);
  for (int n = order; n >= 1; --n) {
    const NGram ngram(n, model.tokenizer()->vocabulary(), training);
    Column column{ngram_name(n), ngram_name(n), {}};
    for (const SplitText& text : texts) column.scores.push_back(score_ngram(ngram, text));
    all.push_back(std::move(column));
  }
  return all;
}

void print(const std::vector<SplitText>& texts, const std::vector<Column>& columns) {
  Table table;
  std::vector<std::string> head = {"", "tokens", "characters"};
  for (const Column& column : columns) head.push_back(column.name);
  table.add(head);
  for (size_t t = 0; t <= texts.size(); ++t) {
    const auto at = [&](const Column& c) { return t < texts.size() ? c.scores[t] : total(c); };
    const Score first = at(columns[0]);
    std::vector<std::string> row = {t < texts.size() ? texts[t].name : "all", grouped(first.tokens),
                                    grouped(first.characters)};
    for (const Column& column : columns) row.push_back(fixed(at(column).per_character(), 4));
    table.add(row);
  }
  std::vector<std::string> row = {"all, nats per token", "", ""};
  for (const Column& column : columns) row.push_back(fixed(total(column).per_token(), 4));
  table.add(row);
  std::fputs(table.text().c_str(), stdout);
}

nlohmann::ordered_json json_of(const Score& s) {
  return {{"nats_per_character", s.per_character()}, {"nats_per_token", s.per_token()}};
}

nlohmann::ordered_json json_of(const std::vector<SplitText>& texts, const std::vector<Column>& columns) {
  nlohmann::ordered_json list;
  for (size_t t = 0; t <= texts.size(); ++t) {
    const bool one = t < texts.size();
    const Score first = one ? columns[0].scores[t] : total(columns[0]);
    nlohmann::ordered_json row = {
        {"text", one ? texts[t].name : "all"}, {"tokens", first.tokens}, {"characters", first.characters}};
    for (const Column& column : columns) row[column.key] = json_of(one ? column.scores[t] : total(column));
    list.push_back(std::move(row));
  }
  return list;
}

void run(const Call& call) {
  if (call.order < 1) fail_call("--order is ", call.order, ", expected 1 or more");
  const Recipe recipe = recipe_from_json(read_file(call.recipe));
  Model model = call.model.empty() ? Model::builtin() : Model::load(call.model);
  if (!model.tokenizer()) fail_call(call.model, ": this model has no tokenizer");
  const std::vector<SplitText> texts = split(recipe, *model.tokenizer(), read_texts(recipe, call.data, {}));
  std::printf("Held-out loss in nats per character: %s, %s parameters, %s tokens, windows of %s\n\n",
              model.title().c_str(), grouped(model.parameter_count()).c_str(),
              grouped(model.tokenizer()->vocabulary()).c_str(), grouped(recipe.context).c_str());
  const std::vector<Column> columns = predictors(model, recipe, texts, call.order);
  print(texts, columns);
  const size_t beside = columns.size() - static_cast<size_t>(std::min(call.order, 3));  // the trigram
  const Score ours = total(columns[0]), theirs = total(columns[beside]);
  const double gain = theirs.per_character() - ours.per_character();
  std::printf(
      "\nThe model is %s nats per character %s the %s (%s%%).\n"
      "overlapping: each window begins half a window after the one before it.  n-grams: modified "
      "Kneser-Ney,\n"
      "trained on the tokens that the model was trained on, never cut by windows.\n",
      fixed(std::abs(gain), 4).c_str(), gain > 0 ? "better than" : "worse than", columns[beside].name.c_str(),
      fixed(100 * std::abs(gain) / theirs.per_character(), 1).c_str());
  if (!call.json.empty())
    write_result(call.json, {{"model",
                              {{"title", model.title()},
                               {"hash", model.hash()},
                               {"parameters", model.parameter_count()},
                               {"vocabulary", model.tokenizer()->vocabulary()}}},
                             {"recipe", call.recipe},
                             {"context", recipe.context},
                             {"held_out", json_of(texts, columns)}});
}

}  // namespace
}  // namespace limpid::bench

int main(int argc, char** argv) {
  limpid::bench::Call call;
  CLI::App app("The held-out loss of a model beside n-grams on the same tokens.", "bench_heldout");
  app.add_option("--recipe", call.recipe, "says which texts, and how they are split")->capture_default_str();
  app.add_option("--data", call.data, "the folder of the recipe's texts")->capture_default_str();
  app.add_option("--model", call.model, "a model file (default: the built-in model)");
  app.add_option("--order", call.order, "the longest n-gram")->capture_default_str();
  app.add_option("--json", call.json, "also write the result to this file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) ? 2 : 0;
  }
  return limpid::bench::guarded("bench_heldout", [&] { limpid::bench::run(call); });
}
