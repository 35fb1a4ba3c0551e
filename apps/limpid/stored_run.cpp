#include "limpid/stored_run.h"

#include "core/label.h"
#include "explore/stored.h"
#include "limpid/training_run.h"

namespace limpid::command {

std::vector<int64_t> StoredRun::ids() const {
  std::vector<int64_t> out;
  for (const Token& token : trace->tokens) out.push_back(token.id);
  return out;
}

bool StoredRun::reads_text() const {
  return model && model->tokenizer() && !trace->text.empty() && model->encode(trace->text) == ids();
}

bool is_stored_run(const std::string& argument) {
  if (!is_trace_file(argument)) return false;
  if (is_model_file(argument))
    fail_call(argument, " is a model; explore a text with it: limpid explore \"Life is short\" --model ",
              shell_word(argument));
  return true;
}

StoredRun open_stored_run(const std::string& path, const ModelCall& call, bool live) {
  StoredRun out;
  out.name = name_of_file(path);
  out.trace = std::make_shared<const Trace>(load_trace(path));
  if (!live) return out;
  auto model = std::make_shared<const Model>(open_model(call));
  const bool same_model = model->hash() == out.trace->model_hash;
  if (!same_model && call.model.empty()) return out;
  if (!same_model)
    fail_call(visible_line(path), " is a run of another model than ", visible_line(call.model),
              "; leave --model out to see it as it was stored");
  out.why = explore::why_another_run(*model, *out.trace);
  if (out.why.empty()) out.model = std::move(model);
  return out;
}

}  // namespace limpid::command
