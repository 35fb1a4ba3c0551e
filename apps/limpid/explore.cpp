// limpid explore: a run, live in the browser.
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "core/json.h"
#include "core/label.h"
#include "explore/explorer.h"
#include "explore/stored.h"
#include "explore/textbook.h"
#include "limpid/commands.h"
#include "limpid/explore_page.h"
#include "limpid/files.h"
#include "limpid/first_view.h"
#include "limpid/images.h"
#include "limpid/input.h"
#include "limpid/page_files.h"
#include "limpid/run_folder.h"
#include "limpid/server.h"
#include "limpid/stored_run.h"
#include "limpid/training_run.h"
#include "model/builtin.h"

namespace limpid::command {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct ExploreCall {
  std::optional<std::string> text;
  NetworkCall network;
  std::optional<StoredRun> stored;
  std::string run, html, said;
  std::vector<std::string> edits;
  int port = 0;
  double limit = 600;
  bool no_open = false;
};

constexpr const char* k_builtin = "built-in";

// What the explorer has of this program: the models that the call names, a training run, and a clock.
class CallHost final : public explore::Host {
 public:
  CallHost(const ExploreCall& call, const std::string& text, const std::atomic<bool>& stopped)
      : call_(call), text_(text), stopped_(stopped) {
    if (!call.run.empty()) run_.emplace(call.run);
    if (shows_stored()) names_.push_back(call.stored->name);
    if (call.network.textbook()) names_.emplace_back(explore::k_textbook_name);
    if (!call.network.model.empty())
      names_.push_back(name_of_file(call.network.model));
    else if (run_ && run_->has_model() && run_->title() != k_builtin)
      names_.push_back(run_->title());
    if (names_.empty() || names_.back() != k_builtin) names_.emplace_back(k_builtin);
  }

  /// Whether the first model is the training run's.
  bool opens_run() const { return run_ && call_.network.model.empty() && names_.size() > 1; }
  /// From now on the built-in model alone.
  void leave_run_model() { names_ = {k_builtin}; }
  const TrainingRun& run() const { return *run_; }

  std::vector<std::string> models() const override { return names_; }
  explore::Subject subject(const std::string& name) override {
    if (changed(name)) subjects_.erase(name);
    auto found = subjects_.find(name);
    if (found == subjects_.end()) found = subjects_.emplace(name, opened(name)).first;
    return found->second;
  }

  bool changed(const std::string& name) override {
    return opens_run() && name == run_->title() && subjects_.count(name) > 0 && run_->model_changed();
  }

  std::string training_log() override { return run_ ? run_->log() : ""; }
  std::string training_title() override { return run_ ? run_->title() : ""; }
  explore::TrainingProgress training_progress() override {
    return run_ ? run_->progress() : explore::TrainingProgress();
  }
  std::vector<explore::WatchedStep> watched() override {
    return run_ ? run_->watched() : std::vector<explore::WatchedStep>();
  }
  Trace watched_trace(const explore::WatchedStep& asked) override { return run_->watched_trace(asked); }

  /// A question is worked on from now on.
  void begin() {
    end_ = Clock::now() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(call_.limit));
  }
  void check() override {
    if (stopped_) fail_work("the server stops");
    if (Clock::now() > end_)
      fail_work("it took longer than ", call_.limit,
                " seconds; give a shorter text, or more time: --limit SECONDS");
  }

 private:
  // A run whose network is not at hand.
  bool shows_stored() const { return call_.stored && !call_.stored->model; }

  // The built-in model beside another one reads texts alone.
  explore::Subject opened(const std::string& name) {
    if (shows_stored() && name == names_.front()) {
      explore::Subject out;
      out.stored = call_.stored->trace;
      return out;
    }
    if (call_.stored && call_.stored->model && name == names_.front()) return {call_.stored->model};
    if (call_.network.textbook() && name == names_.front())
      return explore::textbook_subject({textbook_config(call_.network), call_.network.seed});
    if (call_.network.textbook() || shows_stored()) return {std::make_shared<const Model>(model_of(name))};
    if (name == k_builtin && (!call_.network.model.empty() || run_))
      return {std::make_shared<const Model>(Model::builtin())};
    if (opens_run() && name == run_->title()) return run_->subject(call_.text ? text_ : "");
    if (!call_.network.tokens.empty()) return {std::make_shared<const Model>(open_model(call_.network))};
    if (!call_.text && !call_.network.model.empty()) {
      // A model of images or series begins with a blank one.
      Model model = tower_for(open_model(call_.network), false);
      if (model.tokenizer() || reads_images(model.config()) || reads_series(model.config()))
        return {std::make_shared<const Model>(std::move(model))};
    }
    Input input = input_of_text(call_.network, text_);
    return {std::make_shared<const Model>(std::move(input.model)), std::move(input.pixels), input.text};
  }

  Model model_of(const std::string& name) const {
    return name == k_builtin ? Model::builtin() : open_model(call_.network);
  }

  const ExploreCall& call_;
  const std::string& text_;
  const std::atomic<bool>& stopped_;
  std::vector<std::string> names_;
  std::map<std::string, explore::Subject> subjects_;
  std::optional<TrainingRun> run_;
  Clock::time_point end_ = Clock::time_point::max();
};

// ---- the end -------------------------------------------------------------------------------------

std::atomic<bool> stopping = false;
std::atomic<Server*> serving = nullptr;

// A question ends at the next stage of its run, which of a long text may be far off: the program then ends
// without it, since nothing that it holds is kept.
constexpr unsigned k_seconds_to_end = 2;

void end_now(int) { _exit(0); }

void stop_serving(int) {
  Server* const server = serving;
  if (!server || stopping.exchange(true)) end_now(0);  // it has not begun to serve, or is asked again
  alarm(k_seconds_to_end);
  server->stop();
}

// Ctrl-C ends the server, or what is computed before it serves; a second one ends the program at once.
class StopOnSignal {
 public:
  StopOnSignal() {
    struct sigaction action = {};
    action.sa_handler = stop_serving;
    for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
    std::signal(SIGALRM, end_now);
  }
  ~StopOnSignal() {
    alarm(0);
    for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
  }
};

// The server that a signal stops.
class Served {
 public:
  explicit Served(Server& server) { serving = &server; }
  ~Served() { serving = nullptr; }
};

// ---- the browser ---------------------------------------------------------------------------------

// Whether there is a screen that a browser could open on.
bool has_screen() { return std::getenv("DISPLAY") || std::getenv("WAYLAND_DISPLAY"); }

void open_browser(const std::string& address) {
  std::string program = "xdg-open", argument = address;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  if (posix_spawnp(&child, program.c_str(), &quiet, nullptr, arguments, environ) == 0)
    std::signal(SIGCHLD, SIG_IGN);  // it is not waited for
  posix_spawn_file_actions_destroy(&quiet);
}

// Of a training run a text that its model reads: the call's, a watched sentence, the usual one, the first
// tokens of its vocabulary; where it reads none of them the built-in model is opened.
std::unique_ptr<explore::Explorer> begun_explorer(CallHost& host, const ExploreCall& call,
                                                  const std::string& text) {
  const auto with = [&](const std::string& given, const std::vector<int64_t>& tokens) {
    return std::make_unique<explore::Explorer>(host, given, tokens);
  };
  if (!host.opens_run() || call.text || !call.network.tokens.empty()) return with(text, call.network.tokens);
  std::string reason;
  for (const std::string& each : {host.run().first_watched(), text}) try {
      if (!each.empty()) return with(each, {});
    } catch (const Error& error) {
      reason = error.what();
    }
  try {
    return with("", {0, 1, 2});
  } catch (const Error&) {
    std::fprintf(stderr, "limpid: note: the model of %s is not opened: %s\n", visible_line(call.run).c_str(),
                 visible_line(reason).c_str());
  }
  host.leave_run_model();
  return with(text, {});
}

// ---- one file -----------------------------------------------------------------------------------------

// What an encoder-decoder writes, and the edits: they are made, or it says what is wrong with one.
void open_changes(explore::Explorer& explorer, const ExploreCall& call) {
  Json asked = {{"ask", "open"}};
  if (!call.edits.empty()) asked["edits"] = call.edits;
  if (const auto& target = call.network.target)
    asked["target"] = !target->empty() && target->find_first_not_of("0123456789,") == target->npos
                          ? Json(ids_of("--decoder", *target))
                          : Json(*target);
  if (asked.size() == 1) return;
  const Json said = answer_fields(explorer.answer(asked.dump()));
  if (said.contains("error")) fail_call(said["error"]["message"].get<std::string>());
}

// A page of a stored run, which needs no model.
CarriedPage stored_page(const StoredRun& stored) {
  CarriedPage page;
  page.files.push_back({"", trace_bytes(*stored.trace)});
  if (const size_t size = page.files.front().bytes.size(); size > k_most_carried_bytes)
    fail_call("--html: the trace has ", size, " bytes, and a page carries at most ", k_most_carried_bytes,
              "; keep less of it: limpid trace ... --observe NAME");
  return page;
}

// What the page carries: a stored run, or the call's network.
CarriedPage begun_page(const ExploreCall& call) {
  const NetworkCall& network = call.network;
  if (call.stored) return stored_page(*call.stored);
  if (network.target) fail_call("--html: the page writes by itself; leave --decoder out");
  if (network.textbook()) {
    CarriedPage page;
    page.files.push_back({"", explore::to_json({textbook_config(network), network.seed})});
    return page;
  }
  if (!network.tokens.empty() || !network.tokenizer.empty() || network.activation || network.weights ||
      network.heads)
    fail_call(
        "--html: the page opens its model as it is, with a text; leave --tokens, --tokenizer, --activation, "
        "--weights and --heads out");
  CarriedPage page;
  page.builtin = network.model.empty();
  if (page.builtin) {
    const Bytes bytes = builtin_model_bytes();
    page.files.push_back({"", std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
  } else {
    page.files = carried_files(network.model);
  }
  return page;
}

void write_page(CarriedPage page, const ExploreCall& call, CallHost& host, const std::string& text,
                explore::Explorer& explorer) {
  page.model = host.models().front();
  const explore::Subject subject = host.subject(page.model);
  page.text = call.stored ? "" : text;
  if (subject.input.count() > 0) {
    const Tensor numbers = subject.input.to(DType::f32);
    page.text = subject.input_name;
    page.input.assign(static_cast<const char*>(numbers.raw()), numbers.bytes());
  }
  page.edits = call.edits;
  page.training_title = host.training_title();
  page.training_log = host.training_log();
  page.first_view = first_view(explorer);
  write_file_whole(call.html, carried_page(page));
}

// A stored trace in the place of the text.
void take_stored(const CLI::App& sub, ExploreCall& call) {
  const std::string path = *call.text;
  if (!call.run.empty()) fail_call(path, " is a stored trace, and --run is of a training run; leave one out");
  std::vector<std::string> options = network_options();
  for (const char* of_models : {"--model", "--tokenizer", "--activation", "--weights"})
    std::erase(options, of_models);
  if (!call.html.empty()) options.emplace_back("--model");
  if (const std::string option = given_option(sub, options); !option.empty())
    fail_call(path, " is a stored trace, which ",
              call.html.empty() ? "is shown as it is; " : "the page carries; ", option,
              " is for a text; leave it out");
  call.stored = open_stored_run(path, call.network, call.html.empty());
  const StoredRun& stored = *call.stored;
  if (!stored.model) {
    if (!call.edits.empty())
      fail_call(path, " is shown as it was stored, and --edit needs its network",
                stored.why.empty() ? "; give the model that ran: --model MODEL"
                                   : ", which it is not: " + stored.why);
    if (!stored.why.empty())
      call.said = join(stored.name, " is shown as it was stored: ", visible_line(stored.why));
    call.text.reset();
    return;
  }
  call.said = stored.name + " was run again, with the same numbers: it is live";
  call.edits.insert(call.edits.begin(), stored.trace->edited.begin(), stored.trace->edited.end());
  call.text = stored.trace->text;
  if (stored.reads_text()) return;
  call.text.reset();
  call.network.tokens = stored.ids();
}

void run_explore(const CLI::App& sub, ExploreCall call, const Terminal& terminal) {
  if (call.text && is_stored_run(*call.text))
    take_stored(sub, call);
  else
    check_network_options(sub, call.network);
  if (!call.network.vectors.empty())
    fail_call(
        "--vectors gives no sentence; keep the trace, and open that: limpid trace --vectors FILE -o "
        "FILE.safetensors");
  if (call.network.textbook() && !call.run.empty())
    fail_call("--run shows the run's own model, and --network textbook another; leave one out");
  if (call.text && call.run.empty() && is_training_run(*call.text)) {
    call.run = *call.text;
    call.text.reset();
  }
  if (!call.html.empty() && !call.run.empty() && call.network.model.empty()) {
    const RunFolder folder(call.run);
    if (!fs::exists(folder.model()))
      fail_work("--html: the training run ", call.run,
                " has no model yet; wait until it is done, or give a model");
    call.network.model = folder.model();
  }
  if (call.port < 0 || call.port > 65535) fail_call("--port is ", call.port, ", expected 0 (any) to 65535");
  if (!(call.limit > 0)) fail_call("--limit is ", call.limit, ", expected a number of seconds above 0");
  if (call.text && !call.network.tokens.empty())
    fail_call("a text and --tokens exclude each other; leave one out");
  const bool here = call.stored && call.text;  // as the trace has it
  const std::string text = here ? *call.text : call.text ? text_of(call.text) : "Life is short";
  CarriedPage page;
  std::optional<StopOnSignal> signals;
  if (call.html.empty())
    signals.emplace();
  else
    page = begun_page(call);
  CallHost host(call, text, stopping);
  const std::unique_ptr<explore::Explorer> explorer = begun_explorer(host, call, text);
  open_changes(*explorer, call);
  if (!call.html.empty()) return write_page(std::move(page), call, host, text, *explorer);
  ServerOptions options;
  options.port = call.port;
  options.patience = call.limit;
  options.files = page_files();
  options.ask = [&](std::string_view request) {
    host.begin();
    return explorer->answer(request);
  };
  Server server(std::move(options));
  const Served served(server);
  print(join("limpid explore: ", server.address(), "\n"));
  if (!call.said.empty()) print(call.said + "\n");
  if (terminal.output) print("Ctrl-C ends it.\n");
  flush_output();
  if (!call.no_open && terminal.output && has_screen()) open_browser(server.address());
  server.run();
}

}  // namespace

Work add_explore(CLI::App& app) {
  auto call = std::make_shared<ExploreCall>();
  CLI::App* sub = app.add_subcommand("explore", "A run, live in the browser: any number of it, and what if.");
  sub->add_option("TEXT", call->text,
                  "The sentence to begin with (Life is short); @FILE reads it from a file, - from standard "
                  "input.  The image or the table of a model that reads these.  Or the folder of a training "
                  "run, or a stored trace, FILE.safetensors or FILE.npz.")
      ->type_name("");
  add_network_options(*sub, call->network);
  sub->add_option("--run", call->run,
                  "The folder of a training run, beside a sentence: its model, its log, what it watched.")
      ->type_name("FOLDER");
  sub->add_option("--edit", call->edits,
                  "An edit to begin with, as limpid trace takes it; may be given again.")
      ->expected(1)
      ->take_all()
      ->type_name("NAME=ACTION");
  sub->add_option("--html", call->html,
                  "Serves nothing: writes the page as one file, with engine and model inside.")
      ->type_name("FILE");
  sub->add_option("--port", call->port, "The port of 127.0.0.1 to serve on (any that is free).")
      ->type_name("N");
  sub->add_option("--limit", call->limit, "How long one question may be worked on, in seconds (600).")
      ->type_name("SECONDS");
  sub->add_flag("--no-open", call->no_open, "Opens no browser; the address is printed in any case.");
  sub->footer(
      "It listens on this machine alone, and answers whoever has the address that it\n"
      "prints. Ctrl-C ends it. Programs ask as the page does: docs/explore-protocol.md.\n\n"
      "A model's file or folder that is dropped on the page is opened there and sent\n"
      "nowhere. What --html writes needs no limpid, no server and no network.\n\n"
      "Examples:\n"
      "  limpid explore \"Life is short\"\n"
      "  limpid explore --model FOLDER --port 8080 --no-open\n"
      "  limpid explore sayings\n"
      "  limpid explore life.safetensors\n"
      "  limpid explore \"Life is short\" --network textbook --seed 7\n"
      "  limpid explore @text.txt --run sayings\n"
      "  limpid explore \"Life is short\" --html life.html\n");
  return [call, sub](const Terminal& terminal) { run_explore(*sub, *call, terminal); };
}

}  // namespace limpid::command
