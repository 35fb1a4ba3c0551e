// limpid embed: texts as vectors, and how alike they are.
#include <algorithm>
#include <cstdio>

#include "core/label.h"
#include "core/width.h"
#include "limpid/commands.h"
#include "limpid/files.h"
#include "limpid/run_bar.h"
#include "limpid/tasks.h"
#include "limpid/texts.h"

namespace limpid::command {

namespace {

struct EmbedCall : TaskCall {
  std::optional<std::string> pooling;
  std::string out;
  EmbedOptions options;
};

constexpr const char* k_array = "embeddings";  // in files of several arrays

void check(const EmbedCall& call) {
  for (const char* ending : {".npy", ".npz", ".safetensors"})
    if (call.out.empty() || call.out.ends_with(ending)) return;
  fail_call("-o ", call.out, ": vectors are kept as .npy, .npz or .safetensors; give a name that ends so");
}

void keep(const Embeddings& e, const Model& model, const std::string& path) {
  if (path.empty()) return;
  if (path.ends_with(".npy")) return write_npy(path, e.vectors);
  if (path.ends_with(".npz")) return write_npz(path, std::map<std::string, ConstView>{{k_array, e.vectors}});
  write_safetensors(path, std::map<std::string, ConstView>{{k_array, e.vectors}},
                    {{"model", visible_line(model.title())},
                     {"pooling", e.own ? "own" : std::string(name(e.pooling))},
                     {"normalized", e.normalized ? "true" : "false"}});
}

Json rows_json(const Tensor& t) {
  Json rows = Json::array();
  for (int64_t i = 0; i < t.shape()[0].size; ++i) {
    Json row = Json::array();
    for (int64_t j = 0; j < t.shape()[1].size; ++j) row.push_back(t.at({i, j}));
    rows.push_back(std::move(row));
  }
  return rows;
}

void print_json(const Embeddings& e, const Model& model, const std::vector<std::string>& texts, bool image) {
  print(json_text({{"model", visible_line(model.title())},
                   {"pooling", e.own ? "own" : name(e.pooling)},
                   {"normalized", e.normalized},
                   {"width", e.vectors.shape()[1].size},
                   {image ? "images" : "texts", texts},
                   {"tokens", e.tokens},
                   {"embeddings", rows_json(e.vectors)},
                   {"cosines", rows_json(cosines(e.vectors))}}));
}

std::string decimals(double x, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, x);
  return text;
}

std::string right(const std::string& text, size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

// One text: the first numbers of its vector.
void print_vector(const Embeddings& e) {
  const int64_t shown = std::min<int64_t>(e.vectors.shape()[1].size, 8);
  std::string line;
  for (int64_t i = 0; i < shown; ++i) line += (i ? " " : "") + right(decimals(e.vectors.at({0, i}), 4), 8);
  print(line + (shown < e.vectors.shape()[1].size ? " ...\n" : "\n"));
}

constexpr size_t k_cell = 7;  // " -0.123"

// As many columns as the terminal has room for, under one another where these are not all.
void print_cosines(const Tensor& table, const std::vector<std::string>& texts, int columns) {
  const auto count = texts.size();
  const size_t digits = std::to_string(count).size();
  const size_t room = static_cast<size_t>(std::max(columns, 40));
  size_t widest = 4;
  for (const std::string& text : texts) widest = std::max(widest, display_width(visible_line(text)));
  const size_t label = std::min(widest, room / 3),
               per_page = std::max<size_t>(1, (room - digits - label - 1) / k_cell);
  for (size_t first = 0; first < count; first += per_page) {
    const size_t end = std::min(count, first + per_page);
    std::string line(digits + 1 + label, ' ');
    for (size_t j = first; j < end; ++j) line += right(std::to_string(j + 1), k_cell);
    print("\n" + line + "\n");
    for (size_t i = 0; i < count; ++i) {
      line = right(std::to_string(i + 1), digits) + " " + pad_to_width(visible_line(texts[i]), label);
      for (size_t j = first; j < end; ++j)
        line += right(decimals(table.at({static_cast<int64_t>(i), static_cast<int64_t>(j)}), 3), k_cell);
      print(line + "\n");
    }
  }
}

void print_for_people(const Embeddings& e, const Model& model, const std::vector<std::string>& texts,
                      bool image, const Terminal& terminal) {
  print(join(visible_line(model.title()), ": ", texts.size(), image ? " image" : " text",
             texts.size() == 1 ? ", " : "s, ", e.vectors.shape()[1].size, " numbers ",
             texts.size() == 1 ? "long" : "each", " (",
             e.own ? std::string("the network's own vector") : join(name(e.pooling), " pooling"),
             e.normalized ? ", scaled to length 1" : "", ")\n"));
  if (texts.size() == 1) return print_vector(e);
  print("cosines: 1 for the same direction, 0 for none in common\n");
  print_cosines(cosines(e.vectors), texts, terminal.columns);
}

void run(const EmbedCall& call, const Terminal& terminal) {
  check(call);
  check_task(call);
  EmbedOptions options = call.options;
  if (call.pooling) options.pooling = pooling_named(*call.pooling);
  const Model model = tower_for(open_model(call.model), names_images(call));
  const bool image = reads_images(model.config());
  std::vector<ImageSource> images;
  std::vector<std::string> texts;  // or the images' names
  if (image) images = images_of(call);
  if (!image) texts = texts_of(call);
  for (const ImageSource& each : images) texts.push_back(each.name);
  std::optional<RunBar> bar(std::in_place, terminal);
  options.run.progress = [&](double done, const std::string& next) { bar->show(done, next); };
  const Embeddings e = image ? embed_images(model, images, options) : embed(model, texts, options);
  bar.reset();  // gone before the result stands there
  keep(e, model, call.out);
  TraceOptions traced;
  traced.longest = longest_text(model);
  if (image)
    save_trace(call, model, images[0], terminal);
  else
    save_trace(call, model, texts[0], traced, terminal);
  print_notes(e.notes);
  if (call.json)
    print_json(e, model, texts, image);
  else
    print_for_people(e, model, texts, image, terminal);
}

}  // namespace

Work add_embed(CLI::App& app) {
  auto call = std::make_shared<EmbedCall>();
  CLI::App* sub = app.add_subcommand(
      "embed", "Texts or images as vectors, and how alike they are: the cosine of each pair.");
  add_task_options(*sub, *call);
  sub->add_option(
         "--pooling", call->pooling,
         "What of the last hidden state stands for a text: its mean over the tokens, the first ([CLS]), "
         "the largest of each feature, or the last (as the model's folder says, else mean; of images cls "
         "where "
         "there is a class token).")
      ->check(CLI::IsMember({"mean", "cls", "max", "last"}).description(""))
      ->type_name("mean|cls|max|last");
  EmbedCall* const c = call.get();
  CLI::Option* const scaled = sub->add_flag_callback(
      "--normalize", [c] { c->options.normalize = true; },
      "Scales each vector to length 1 (as the model's folder says, else not).");
  sub->add_flag_callback(
         "--no-normalize", [c] { c->options.normalize = false; }, "Leaves the vectors as they are.")
      ->excludes(scaled);
  sub->add_option("--batch", call->options.run.batch,
                  "At most so many texts are run at once; changes no number (32).")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N");
  sub->add_option("-o", call->out, "Keeps the vectors, one a row, as FILE.npy, FILE.npz or FILE.safetensors.")
      ->type_name("FILE");
  sub->footer(
      "Examples:\n"
      "  limpid embed \"Life is short\" \"Art is long\" --model all-MiniLM-L6-v2\n"
      "  limpid embed --lines texts.txt --model all-MiniLM-L6-v2 -o vectors.npy\n"
      "  limpid embed photos/ --model dinov2-base\n"
      "  limpid embed @book.txt --model all-MiniLM-L6-v2 --json --trace book.npz\n");
  return [call](const Terminal& terminal) { run(*call, terminal); };
}

}  // namespace limpid::command
