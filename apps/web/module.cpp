// The engine in the explorer's page: what web/src/wasm_engine.ts calls of limpid.wasm.
//
// The page gives a model's bytes (limpid_give_file for each file, limpid_give_input for the image or the
// series that is open with it, then limpid_add_model), begins with a text (limpid_begin), and asks
// (limpid_ask).  Whatever returns bytes returns an answer of docs/explore-protocol.md, with
// limpid_answer_size() bytes; it is there until the next call.  What went wrong is such an answer too.
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "explore/answer.h"
#include "explore/explorer.h"
#include "explore/stored.h"
#include "explore/textbook.h"
#include "model/builtin.h"

#define LIMPID_EXPORT(name) extern "C" __attribute__((export_name(#name), visibility("default")))

namespace limpid::web {
namespace {

struct Release {
  void operator()(void* memory) const { std::free(memory); }
};
struct File {
  std::unique_ptr<char, Release> memory;
  size_t size = 0;
  Bytes bytes() const { return bytes_of(std::string_view(memory.get(), size)); }
};

class PageHost final : public explore::Host {
 public:
  std::vector<std::string> models() const override { return names_; }
  explore::Subject subject(const std::string& name) override {
    const auto found = subjects_.find(name);
    if (found == subjects_.end()) fail_call("the page holds no model of that name");
    return found->second;
  }
  std::string training_log() override { return log_; }
  std::string training_title() override { return title_; }

  void add(const std::string& name, explore::Subject subject) {
    if (!subjects_.count(name)) names_.push_back(name);
    subjects_[name] = std::move(subject);
  }
  void set_training(std::string title, std::string log) {
    title_ = std::move(title);
    log_ = std::move(log);
  }

 private:
  std::vector<std::string> names_;
  std::map<std::string, explore::Subject> subjects_;
  std::string title_, log_;
};

// All that the module keeps.  It is one page's, and has one thread.
struct Page {
  PageHost host;
  std::map<std::string, File> given;
  File input;  // f32, as the network has it; empty: there is none
  std::string input_name;
  std::unique_ptr<explore::Explorer> explorer;
  std::string answer;
};

Page& page() {
  static Page* const k_page = new Page;  // never taken down: the page goes with its module
  return *k_page;
}

std::string error_answer(const char* kind, const std::string& message) {
  explore::Answer answer;
  answer.fields["error"] = {{"kind", kind}, {"message", message}};
  return answer.bytes();
}

// What `work` makes, or the error that it throws.
template <class Work>
const char* answer_of(Work&& work) {
  Page& all = page();
  try {
    all.answer = work(all);
  } catch (const Error& error) {
    all.answer = error_answer(error.kind() == Error::Kind::call ? "call" : "work", error.what());
  } catch (const std::bad_alloc&) {
    all.answer =
        error_answer("work", "there is not enough memory for this in a page, which has at most 4 GB");
  } catch (const std::exception& error) {
    all.answer = error_answer("work", error.what());
  }
  return all.answer.data();
}

// A file by itself, or all that a folder holds.  The built-in model is expanded, as the command does it.
Model read_model(const Page& all, const std::string& name, bool builtin) {
  LoadOptions options;
  if (builtin) options.weights = Weights::f32;
  if (all.given.size() == 1 && all.given.begin()->first.empty())
    return Model::read(all.given.begin()->second.bytes(), builtin ? k_builtin_file : name, options);
  std::map<std::string, Bytes> files;
  for (const auto& [path, file] : all.given) files[path] = file.bytes();
  return Model::read(files, name, options);
}

// What the page gave beside the model's files, in the shape that its network reads.
Tensor read_input(const Page& all, const Model& model) {
  const auto* network = std::get_if<Architecture>(&model.config());
  if (!network || (!network->patches && !network->series)) fail_call("this model reads texts, no numbers");
  const Shape shape =
      network->patches
          ? Shape{{Axis::B, 1},
                  {Axis::K, network->patches->channels},
                  {Axis::Y, network->patches->height},
                  {Axis::X, network->patches->width}}
          : Shape{{Axis::B, 1}, {Axis::X, network->series->length}, {Axis::K, network->series->channels}};
  Tensor out(DType::f32, shape);
  if (out.bytes() != all.input.size)
    fail_call("the input has ", all.input.size, " bytes, expected ", out.bytes(), ": f32 ", shape.text());
  std::memcpy(out.raw(), all.input.memory.get(), out.bytes());
  return out;
}

// A stored trace and the textbook's network (explore/textbook.h) are one file; all else is a model.
explore::Subject read_given(const Page& all, const std::string& name, bool builtin) {
  if (all.given.size() == 1 && all.given.begin()->first.empty()) {
    const Bytes bytes = all.given.begin()->second.bytes();
    if (is_trace(bytes)) return explore::stored_subject(read_trace(bytes, name));
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.starts_with("{\"seed\"") || text.starts_with("{\"textbook\""))
      return explore::textbook_subject(explore::textbook_from_json(text));
  }
  explore::Subject out = {std::make_shared<const Model>(read_model(all, name, builtin))};
  if (!all.input.memory) return out;
  out.input = read_input(all, *out.model);
  out.input_name = all.input_name;
  return out;
}

std::string done() {
  explore::Answer answer;
  return answer.bytes();
}

}  // namespace
}  // namespace limpid::web

using namespace limpid;
using limpid::web::answer_of;
using limpid::web::Page;

/// Called by the library when memory grows: the page looks at it anew at each call, and need not be told.
extern "C" void emscripten_notify_memory_growth(size_t) {}

/// Memory for what the page gives; nullptr: there is not so much.
LIMPID_EXPORT(limpid_alloc) void* limpid_alloc(size_t size) { return std::malloc(size ? size : 1); }
LIMPID_EXPORT(limpid_free) void limpid_free(void* memory) { std::free(memory); }
LIMPID_EXPORT(limpid_answer_size) size_t limpid_answer_size() { return web::page().answer.size(); }

/// A file of the model that is added next, by its name in its folder; "": the model is this file.  The bytes,
/// from limpid_alloc, are the module's from now on.
LIMPID_EXPORT(limpid_give_file)
void limpid_give_file(const char* name, size_t name_size, char* bytes, size_t size) {
  web::File& file = web::page().given[std::string(name, name_size)];
  file.memory.reset(bytes);
  file.size = size;
}

/// Forgets the files that were given.
LIMPID_EXPORT(limpid_drop_files) void limpid_drop_files() { web::page().given.clear(); }

/// The image or the series that the model added next begins with: f32 in the shape that its network reads.
/// The bytes, from limpid_alloc, are the module's from now on.
LIMPID_EXPORT(limpid_give_input)
void limpid_give_input(const char* name, size_t name_size, char* bytes, size_t size) {
  web::page().input_name = std::string(name, name_size);
  web::page().input = {};
  web::page().input.memory.reset(bytes);
  web::page().input.size = size;
}

/// A model of the files given, which are forgotten; or a stored trace, and then the answer says so
/// (`stored`).
LIMPID_EXPORT(limpid_add_model)
const char* limpid_add_model(const char* name, size_t size, int builtin) {
  return answer_of([&](Page& all) {
    const std::string called(name, size);
    struct Forget {
      Page& all;
      ~Forget() {
        all.given.clear();
        all.input = {};
      }
    } forget{all};
    explore::Subject subject = web::read_given(all, called, builtin != 0);
    explore::Answer answer;
    answer.fields["stored"] = subject.stored != nullptr;
    all.host.add(called, std::move(subject));
    return answer.bytes();
  });
}

/// The log of a training run, which the page shows beside the model.
LIMPID_EXPORT(limpid_set_training)
void limpid_set_training(const char* title, size_t title_size, const char* log, size_t log_size) {
  web::page().host.set_training(std::string(title, title_size), std::string(log, log_size));
}

/// Opens the first model with this text; one of images or series with what was given beside it.
LIMPID_EXPORT(limpid_begin) const char* limpid_begin(const char* text, size_t size) {
  return answer_of([&](Page& all) {
    all.explorer.reset();
    if (all.host.models().empty()) fail_call("the page was given no model");
    all.explorer = std::make_unique<explore::Explorer>(all.host, std::string(text, size));
    return web::done();
  });
}

LIMPID_EXPORT(limpid_ask) const char* limpid_ask(const char* request, size_t size) {
  return answer_of([&](Page& all) {
    if (!all.explorer) fail_call("nothing is open yet");
    return all.explorer->answer(std::string_view(request, size));
  });
}
