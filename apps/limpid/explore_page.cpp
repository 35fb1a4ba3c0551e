// The explorer's page as one file.
//
// What is binary stands in script elements that no browser runs (limpid/payload.h); all the rest is ASCII.
#include "limpid/explore_page.h"

#include <algorithm>
#include <filesystem>

#include "core/json.h"
#include "core/label.h"
#include "files/deflate.h"
#include "files/recognize.h"
#include "limpid/page_files.h"
#include "limpid/payload.h"

namespace limpid::command {

namespace {

namespace fs = std::filesystem;

// A page that holds more takes seconds to open; whoever has such a model drops it on the page.
constexpr uintmax_t k_most_model_bytes = 100 << 20;

std::string payload(const std::string& id, std::string_view bytes) {
  const Payload coded = coded_payload(bytes);
  return join("<script type=\"application/octet-stream\" id=\"", id, "\" data-block=\"", coded.block, "\">",
              coded.text, "</script>\n");
}

// JSON in a script element: nothing that ends it, and no byte beyond ASCII.
std::string script_json(const Json& json) {
  std::string out;
  for (const char c : json.dump(-1, ' ', true, Json::error_handler_t::replace))
    out += c == '<' ? "\\u003c" : std::string(1, c);
  return out;
}

// A script that is built to be ASCII, kept from ending its element.
std::string script_text(std::string_view script) {
  std::string out;
  for (size_t i = 0; i < script.size(); ++i) {
    const std::string_view rest = script.substr(i);
    out += script[i];
    for (const std::string_view word : {"</script", "<script", "<!--"})
      if (rest.starts_with(word)) out += '\\';
  }
  return out;
}

std::string in_address(std::string_view bytes) {
  constexpr char k_digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || byte == '-' ||
        byte == '.')
      out += c;
    else
      out += {'%', k_digits[byte >> 4], k_digits[byte & 15]};
  }
  return out;
}

std::string_view page_file(const std::string& name) {
  static const auto k_files = page_files();
  return k_files.at(name).bytes;
}

// Nothing is fetched, and nothing is sent: the browser holds the page to it.
constexpr const char* k_policy =
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; worker-src blob:; style-src "
    "'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'";

bool belongs_to_model(const fs::path& path) {
  constexpr std::string_view k_endings[] = {".safetensors", ".json",  ".model", ".txt",
                                            ".tiktoken",    ".jinja", ".bpe",   ".spm"};
  const std::string ending = path.extension().string();
  return std::find(std::begin(k_endings), std::end(k_endings), ending) != std::end(k_endings);
}

}  // namespace

std::vector<CarriedFile> carried_files(const std::string& model) {
  std::vector<fs::path> paths;
  const bool folder = fs::is_directory(model);
  if (!folder) {
    const RecognizedFile seen = recognize(fs::path(model));
    if (seen.kind != FileKind::safetensors && seen.kind != FileKind::gguf)
      fail_call("--html: ", model, " is ", seen.what,
                ", and a page reads .safetensors and .gguf files, and folders with a config.json");
    paths.emplace_back(model);
  } else {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(model))
      if (entry.is_regular_file() && belongs_to_model(entry.path())) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
  }
  uintmax_t size = 0;
  for (const fs::path& path : paths) size += fs::file_size(path);
  if (size > k_most_carried_bytes)
    fail_call("--html: ", model, " has ", size, " bytes, and a page carries a model of at most ",
              k_most_carried_bytes, "; write the page without --model, and drop the model on it");
  std::vector<CarriedFile> out;
  for (const fs::path& path : paths)
    out.push_back({folder ? fs::relative(path, model).generic_string() : "", read_file(path)});
  return out;
}

std::string carried_page(const CarriedPage& page) {
  // In the order in which the page needs them: it begins while the browser reads the models.
  std::string begins = join("<script type=\"text/plain\" id=\"limpid-worker\">",
                            script_text(page_file("engine.js")), "</script>\n");
  if (!page.first_view.empty()) begins += payload("limpid-first-view", gzipped(page.first_view));
  begins += payload("limpid-wasm", page_file("limpid.wasm.lzma"));
  begins += payload("limpid-packed-style", gzipped(page_file("page.css")));
  begins += payload("limpid-packed-page", gzipped(page_file("page.js")));
  Json files = Json::array();
  std::string models;
  for (size_t i = 0; i < page.files.size(); ++i) {
    const std::string id = join("limpid-model-", i);
    files.push_back({{"path", page.files[i].path}, {"element", id}});
    models += payload(id, gzipped(page.files[i].bytes));
  }
  Json model = {{"name", page.model}, {"builtin", page.builtin}, {"files", files}};
  if (!page.input.empty()) {
    model["input"] = {{"name", page.text}, {"element", "limpid-input"}};
    models += payload("limpid-input", gzipped(page.input));
  }
  Json run = {{"models", Json::array({model})}, {"text", page.text}, {"edits", page.edits}};
  if (!page.training_log.empty())
    run["training"] = {{"title", page.training_title}, {"log", page.training_log}};
  return join(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"windows-1252\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"",
      k_policy,
      "\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>limpid explore</title>\n"
      "<link rel=\"icon\" type=\"image/svg+xml\" href=\"data:image/svg+xml,",
      in_address(page_file("icon.svg")),
      "\">\n"
      "</head>\n<body>\n"
      "<script type=\"application/json\" id=\"limpid-run\">",
      script_json(run), "</script>\n", begins, "<script>\n", script_text(page_file("boot.js")), "</script>\n",
      models, "</body>\n</html>\n");
}

}  // namespace limpid::command
