#include "limpid/help.h"

#include "core/threads.h"
#include "kernels/isa.h"
#include "limpid/error.h"
#include "limpid/version.h"

namespace limpid::command {

namespace {

constexpr const char* k_overview = R"(limpid: attention you can see, at full speed

  limpid trace "Life is short"        every stage from word to next word
  limpid trace "Life is short" --token short
                                      one token: its query against every key
  limpid trace "Life is short" --network textbook --seed 7
                                      the textbook's network, every number of it
  limpid explain "blocks.0.attn.pattern[0,2,2,1]"
                                      the arithmetic behind one number
  limpid explore "Life is short"      the run live in the browser
  limpid diff a.safetensors b.npz     the first stage where two runs part
  limpid lens "Life is short"         what each layer would say, and why
  limpid heads                        what kind each head is of, by measurement
  limpid draw -o net.svg              its diagram, with the shapes on the edges
  limpid quiz "Life is short"         questions about this run, and answers
  limpid generate "Life is short"     how the text could go on
  limpid train recipes/textbook.json  learns a few sentences in seconds
  limpid eval "Life is short"         how well a model predicts a text
  limpid predict INPUT --model FILE   what a model was made for: a class, ...
  limpid embed "Life is short" "Art is long" --model FOLDER
                                      vectors of texts, and how alike they are
  limpid fill "Life is [MASK]" --model FOLDER
                                      the likeliest words for a hidden one
  limpid classify "Life is short" --model FOLDER
                                      its classes, with their probabilities
  limpid translate "Das Leben ist kurz." --model FOLDER
                                      what an encoder-decoder writes beside it
  limpid info PATH                    what a file holds, of any kind
  limpid tokens "Life is short"       how a tokenizer cuts a text
  limpid bench --quick                this machine's limits, and how close the
                                      kernels come

Options of every command:
  --threads N   Computes on N threads; the results are the same for any N.
  --color WHEN  auto (in a terminal, unless NO_COLOR is set), always, or never.
  --help        A command's own options, such as limpid trace --help.
  --version     The version, the instruction set in use, and the threads.

Without --model, the small language model that limpid itself trained is used.
Exit status: 0 done, 1 the work failed, 2 the call was wrong.
)";

// Lines of at most `columns`, broken between words.
std::string wrapped(const std::string& text, size_t columns) {
  std::string out;
  size_t width = 0;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const bool breaks = width > 0 && width + 1 + word.size() > columns;
    if (breaks)
      out += '\n';
    else if (width > 0)
      out += ' ';
    width = breaks ? word.size() : width + (width > 0) + word.size();
    out += word;
  }
  return out;
}

class Help : public CLI::Formatter {
 public:
  Help() { column_width(30); }
  std::string make_option_desc(const CLI::Option* option) const override {
    return wrapped(option->get_description(), 78 - get_column_width());
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 || option->get_type_name().empty() ? ""
                                                                           : " " + option->get_type_name();
  }
  // One empty line between groups, where the parser's own would be two.
  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    const std::string out = CLI::Formatter::make_group(group, is_positional, options);
    return is_positional || group == "Options" || !out.starts_with('\n') ? out : out.substr(1);
  }
  std::string make_usage(const CLI::App* app, std::string) const override {
    std::string out = "  limpid " + app->get_name();
    for (const CLI::Option* option : app->get_options())
      if (option->get_positional())
        out +=
            (option->get_required() ? " " : " [") + option->get_name() + (option->get_required() ? "" : "]");
    return out + " [OPTIONS]\n";
  }
  std::string make_description(const CLI::App* app) const override {
    return wrapped(app->get_description(), 80) + "\n";
  }
};

}  // namespace

std::string overview() { return k_overview; }

std::string version() {
  return join("limpid ", k_version, ", ", kernels::isa_name(), ", ", threads(),
              threads() == 1 ? " thread" : " threads", "\n");
}

std::shared_ptr<CLI::Formatter> help_formatter() { return std::make_shared<Help>(); }

}  // namespace limpid::command
