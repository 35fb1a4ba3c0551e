// limpid: the command.  Reads the call, hands it to a subcommand, turns what went wrong into one line and a
// status.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "core/label.h"
#include "core/threads.h"
#include "limpid/commands.h"
#include "limpid/error.h"
#include "limpid/help.h"

namespace limpid::command {
namespace {

enum Status { k_done = 0, k_work_failed = 1, k_call_was_wrong = 2 };

int complain(const std::string& what, Status status) {
  std::fflush(stdout);                // what was printed stands before what went wrong
  constexpr size_t k_longest = 4000;  // a message may hold a name from a file, of any length and any bytes
  std::string line = what.substr(0, k_longest);
  for (char& c : line)
    if (c == '\n') c = ' ';
  line = "limpid: " + visible_line(line) + (what.size() > k_longest ? "..." : "");
  std::fprintf(stderr, "%s\n", line.c_str());
  return status;
}

std::string called(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? "limpid" : "limpid " + chosen.front()->get_name();
}

// The option of the chosen command, or of the program.
const CLI::Option* find_option(const CLI::App& app, const std::string& name) {
  for (const CLI::App* each : app.get_subcommands())
    if (const CLI::Option* option = each->get_option_no_throw(name)) return option;
  return app.get_option_no_throw(name);
}

// Where several values may stand CLI11 takes "[a,b]" for a list, and its brackets away.  "[X] [MASK]" is a
// text: it is marked on its way into the parser, and the mark is taken off behind it.
constexpr char k_in_brackets = '\x1e';

void unmark(std::string& text) {
  if (text.ends_with(k_in_brackets)) text.pop_back();
}

// What the parser says, as a sentence that repairs the call.
std::string repaired(const CLI::App& app, const CLI::ParseError& error) {
  const std::string help = "; see `" + called(app) + " --help`";
  const auto chosen = app.get_subcommands();
  std::vector<std::string> extras = app.remaining(true);
  std::for_each(extras.begin(), extras.end(), unmark);
  const auto option = std::find_if(extras.begin(), extras.end(), [](const std::string& extra) {
    return extra.size() > 1 && extra[0] == '-';
  });
  if (option != extras.end()) return join("'", *option, "' is not an option of ", called(app), help);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) && !extras.empty()) {
    if (chosen.empty())
      return join(
          "'", extras.front(),
          "' is not a command; there are trace, explain, explore, diff, lens, heads, draw, quiz, generate, "
          "eval, train, predict, embed, fill, classify, translate, info, tokens and bench",
          help);
    return join("'", extras.front(),
                "' is one word too many; a text of several words goes in quotes, \"Life is short\"", help);
  }
  std::string what = error.what();
  std::erase(what, k_in_brackets);
  if (dynamic_cast<const CLI::ConversionError*>(&error)) {  // "Could not convert: --tokens = ten"
    const std::string start = "Could not convert: ", between = " = ";
    const size_t equals = what.find(between);
    if (what.starts_with(start) && equals != what.npos)
      return join(what.substr(start.size(), equals - start.size()), " is '",
                  what.substr(equals + between.size()), "', expected a number that this option takes", help);
  }
  if (dynamic_cast<const CLI::ValidationError*>(&error)) {  // "--network: textbok not in {textbook}"
    const size_t colon = what.find(": "), in = what.rfind(" not in {");
    if (colon != what.npos && in != what.npos && in > colon && what.ends_with('}')) {
      std::string words;
      for (const char c : what.substr(in + 9, what.size() - in - 10))
        words += c == ',' ? std::string(", ") : std::string(1, c);
      return join(what.substr(0, colon), " is '", what.substr(colon + 2, in - colon - 2), "', expected ",
                  words.find(',') == words.npos ? "" : "one of ", words, help);
    }
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(
          &error)) {  // "-o: 1 required TEXT missing", "-o: At Most 1 ..."
    const std::string name = what.substr(0, what.find(':'));
    if (const CLI::Option* given = find_option(app, name)) {
      if (given->count() > 1) return join(name, " is given ", given->count(), " times; give it once", help);
      return join(name, " needs a value after it", help);
    }
  }
  return what + help;
}

struct MainCall {
  std::optional<int> threads;
  Colour colour = Colour::automatic;
  bool version = false;
};

void add_common(CLI::App& app, MainCall& call) {
  app.add_option("--threads", call.threads, "Computes on N threads; the results are the same for any N.")
      ->type_name("N");
  const std::map<std::string, Colour> colours = {
      {"always", Colour::always}, {"auto", Colour::automatic}, {"never", Colour::never}};
  app.add_option_function<std::string>(
         "--color", [&call, colours](const std::string& word) { call.colour = colours.at(word); },
         "Colours: in a terminal unless NO_COLOR is set, always, or never.")
      ->check(CLI::IsMember({"always", "auto", "never"}))
      ->type_name("always|auto|never");
  app.add_flag("--version", call.version, "The version, the instruction set in use, and the threads.");
}

Status status_of(const Work& work, const Terminal& terminal) {
  try {
    work(terminal);
    return k_done;
  } catch (const Parted&) {
    return k_work_failed;
  }
}

void parse(CLI::App& app, int argc, char** argv) {
  std::vector<std::string> arguments;  // the last one first, as CLI11 takes them
  for (int i = argc - 1; i > 0; --i) {
    arguments.emplace_back(argv[i]);
    if (arguments.back().starts_with('[') && arguments.back().ends_with(']'))
      arguments.back() += k_in_brackets;
  }
  const CLI::Validator unmarks(
      [](std::string& text) {
        unmark(text);
        return std::string();
      },
      "");
  for (CLI::App* sub : app.get_subcommands({}))
    for (CLI::Option* option : sub->get_options())
      if (option->get_items_expected_max() > 0) option->transform(unmarks);
  app.parse(std::move(arguments));
}

int run(int argc, char** argv) {
  CLI::App app("attention you can see, at full speed", "limpid");
  app.formatter(help_formatter());
  app.set_help_flag("-h,--help", "Shows this help.");
  app.fallthrough();
  app.require_subcommand(0, 1);
  MainCall call;
  add_common(app, call);
  std::vector<std::pair<std::string, Work>> commands;
  commands.emplace_back("trace", add_trace(app));
  commands.emplace_back("explain", add_explain(app));
  commands.emplace_back("explore", add_explore(app));
  commands.emplace_back("diff", add_diff(app));
  commands.emplace_back("lens", add_lens(app));
  commands.emplace_back("heads", add_heads(app));
  commands.emplace_back("draw", add_draw(app));
  commands.emplace_back("quiz", add_quiz(app));
  commands.emplace_back("generate", add_generate(app));
  commands.emplace_back("train", add_train(app));
  commands.emplace_back("eval", add_eval(app));
  commands.emplace_back("predict", add_predict(app));
  commands.emplace_back("embed", add_embed(app));
  commands.emplace_back("fill", add_fill(app));
  commands.emplace_back("classify", add_classify(app));
  commands.emplace_back("translate", add_translate(app));
  commands.emplace_back("info", add_info(app));
  commands.emplace_back("export", add_export(app));
  commands.emplace_back("tokens", add_tokens(app));
  commands.emplace_back("bench", add_bench(app));

  try {
    parse(app, argc, argv);
    if (call.threads) set_threads(*call.threads);
    const Terminal terminal = find_terminal(call.colour);
    if (call.version) {
      print(version());
    } else if (app.get_subcommands().empty()) {
      print(overview());
    }
    Status status = k_done;
    for (const auto& [name, work] : commands)
      if (!call.version && app.got_subcommand(name)) status = status_of(work, terminal);
    close_output();
    return status;
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    print(chosen.empty() ? overview() : chosen.front()->help());
    close_output();
    return k_done;
  } catch (const CLI::ParseError& error) {
    return complain(repaired(app, error), k_call_was_wrong);
  }
}

int run_and_report(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const ClosedPipe&) {
    return k_done;
  } catch (const Error& error) {
    return complain(error.what(), error.kind() == Error::Kind::call ? k_call_was_wrong : k_work_failed);
  } catch (const std::bad_alloc&) {
    return complain("there is not enough memory for this", k_work_failed);
  } catch (const std::exception& error) {
    return complain(error.what(), k_work_failed);
  }
}

}  // namespace
}  // namespace limpid::command

int main(int argc, char** argv) {
  // A closed pipe and a file that may not grow are errors of the write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  return limpid::command::run_and_report(argc, argv);
}
