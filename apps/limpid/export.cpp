// limpid export: a model as a folder of the hub.
#include "core/label.h"
#include "limpid/commands.h"
#include "limpid/input.h"
#include "limpid/model.h"

namespace limpid::command {

namespace {

struct ExportCall {
  ModelCall model;
  std::string folder;
  DType type = DType::f32;
};

void run(const ExportCall& call) {
  const Model model = open_model(call.model);
  const std::vector<std::string> notes = write_hub_folder(model, call.folder, call.type);
  print(join(visible_line(call.folder), ": ", visible_line(model.title()), "\n"));
  for (const std::string& note : notes) print("  " + visible_line(note) + "\n");
}

}  // namespace

Work add_export(CLI::App& app) {
  auto call = std::make_shared<ExportCall>();
  CLI::App* sub = app.add_subcommand(
      "export", "A model as a folder of the Hugging Face hub, which transformers and other programs open.");
  sub->add_option("-o", call->folder, "The folder to make; there must be none of that name.")
      ->required()
      ->type_name("FOLDER");
  sub->add_option_function<std::string>(
         "--type",
         [c = call.get()](const std::string& word) {
           c->type = word == "bf16" ? DType::bf16 : word == "f16" ? DType::f16 : DType::f32;
         },
         "The type of the weights (f32).")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}).description(""))
      ->type_name("f32|bf16|f16");
  add_model_options(*sub, call->model);
  sub->footer(
      "A model of the families gpt2, gpt_neox, llama and bert, or one that limpid trained and that has the "
      "parts of\n"
      "one of these.\n\n"
      "Examples:\n"
      "  limpid export -o builtin-hub\n"
      "  limpid export --model sayings/model.safetensors -o sayings-hub --type bf16\n");
  return [call](const Terminal&) { run(*call); };
}

}  // namespace limpid::command
