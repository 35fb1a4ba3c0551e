#include "limpid/input.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "limpid/files.h"

namespace limpid::command {

// ---- texts and files --------------------------------------------------------------------------------

namespace {

std::string without_last_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

constexpr size_t k_most_text = size_t{1} << 30;  // bytes: of a pipe without an end, or a file that is no text

std::string from_standard_input() {
  if (isatty(STDIN_FILENO))
    fail_call("no text given; write it after the command, such as \"Life is short\", or pipe it in");
  std::string text;  // through stdio: /dev/stdin cannot be opened where it is a socket
  char buffer[1 << 16];
  while (const size_t count = std::fread(buffer, 1, sizeof buffer, stdin)) {
    text.append(buffer, count);
    if (text.size() > k_most_text) break;  // said by text_of
  }
  if (std::ferror(stdin)) fail_work("standard input: ", std::strerror(errno));
  return without_last_line_end(std::move(text));
}

std::string read_text(const std::optional<std::string>& argument) {
  if (!argument || *argument == "-") return from_standard_input();
  if (argument->starts_with('@') && argument->size() > 1)
    return without_last_line_end(read_file(argument->substr(1)));
  return *argument;
}

}  // namespace

std::string text_of(const std::optional<std::string>& argument) {
  const std::string text = read_text(argument);
  if (text.size() > k_most_text)
    fail_call("the text has more than ", k_most_text, " bytes; give a part of it");
  if (text.find_first_not_of(" \t\r\n\v\f") == text.npos)
    fail_call("the text is ", text.empty() ? "empty" : "only spaces",
              "; give at least one word, such as \"Life is short\"");
  return text;
}

Model open_model(const std::string& path) { return path.empty() ? Model::builtin() : Model::load(path); }

bool is_trace_file(const std::string& argument) {
  if (!argument.ends_with(".safetensors") && !argument.ends_with(".npz")) return false;
  if (std::filesystem::exists(argument)) return true;
  if (argument.find_first_of(" \n") != argument.npos) return false;
  fail_call(argument,
            ": there is no such file; a text of this name can be given as @FILE or on standard input");
}

bool is_model_file(const std::string& path) {
  try {
    return path.ends_with(".safetensors") && inspect_safetensors(path).metadata.count("limpid.model") > 0;
  } catch (const Error&) {
    return false;  // what is wrong with it is said by whoever reads it
  }
}

// ---- which network ----------------------------------------------------------------------------------

namespace {

// Those that only the textbook's network has.
const std::vector<std::string> k_textbook_options = {"--seed",     "--heads", "--width",  "--positions",
                                                     "--add-norm", "--mask",  "--output", "--outputs"};

}  // namespace

namespace {

// "2,0,1"
std::vector<int64_t> ids_of(const std::string& list) {
  std::vector<int64_t> ids;
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    const std::string item = list.substr(at, comma - at);
    int64_t id = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), id);
    if (item.empty() || error != std::errc() || end != item.data() + item.size())
      fail_call("--tokens ", list, ": '", item, "' is not a token id; expected whole numbers, such as 2,0,1");
    ids.push_back(id);
    at = comma + 1;
  }
  return ids;
}

}  // namespace

std::vector<std::string> network_options() {
  std::vector<std::string> all = k_textbook_options;
  all.insert(all.end(), {"--model", "--network", "--vectors", "--tokens"});
  return all;
}

void add_network_options(CLI::App& sub, NetworkCall& call) {
  const auto one_of = [](CLI::Option* option, const std::vector<std::string>& words) {
    std::string list;
    for (const std::string& word : words) list += (list.empty() ? "" : "|") + word;
    option->check(CLI::IsMember(words).description(""))->type_name(list);
  };
  const std::string model = "Model", textbook = "The textbook's network";
  sub.add_option("--model", call.model, "The model file; without it, the built-in model.")
      ->type_name("FILE")
      ->group(model);
  sub.add_option_function<std::string>(
         "--tokens",
         [&call](const std::string& list) {
           const bool ids = list.find_first_not_of("0123456789,") == list.npos;
           ids ? void(call.tokens = ids_of(list)) : void(call.words = list);
         },
         "Token ids instead of a text, for a model that has no tokenizer: 2,0,1.")
      ->type_name("IDS")
      ->group(model);
  one_of(sub.add_option("--network", call.network,
                        "Runs the network of the standard figure on the sentence's own words, with NumPy's "
                        "random numbers, in double.")
             ->group(textbook),
         {"textbook"});
  sub.add_option("--seed", call.seed,
                 "The numbers are those of numpy.random.seed(N) and numpy.random.rand (7).")
      ->type_name("N")
      ->group(textbook);
  sub.add_option("--vectors", call.vectors,
                 "Input vectors instead of words, one a row: a .npy, .csv, .npz or .safetensors file.")
      ->type_name("FILE")
      ->group(textbook);
  sub.add_option("--width", call.width, "How many numbers stand for a word (4).")
      ->type_name("N")
      ->group(textbook);
  sub.add_option("--heads", call.heads,
                 "How many heads share the width; more than one are joined and projected (1).")
      ->type_name("N")
      ->group(textbook);
  one_of(sub.add_option("--positions", call.positions, "How the network knows where a word stands (none).")
             ->group(textbook),
         {"none", "learned", "sinusoidal", "rotary"});
  sub.add_flag("--add-norm", call.add_norm, "Adds the input to what attention gathered, and normalises.")
      ->group(textbook);
  one_of(sub.add_option("--mask", call.mask,
                        "Whether a word sees the words after it: none lets it, causal does not (none).")
             ->group(textbook),
         {"none", "causal"});
  one_of(sub.add_option("--output", call.output,
                        "What stands at the end: the next word, a class, or numbers (next-word).")
             ->group(textbook),
         {"next-word", "class", "regression"});
  sub.add_option("--outputs", call.outputs, "How many classes (2) or numbers (1) come out.")
      ->type_name("N")
      ->group(textbook);
}

std::string given_option(const CLI::App& sub, const std::vector<std::string>& options) {
  for (const std::string& option : options)
    if (sub.count(option) > 0) return option;
  return "";
}

void check_network_options(const CLI::App& sub, const NetworkCall& call) {
  if (!call.words.empty()) ids_of(call.words);  // says what is wrong with it
  if (call.textbook()) {
    if (!call.model.empty())
      fail_call("--model and the textbook's network exclude each other; leave one out");
    if (!call.tokens.empty())
      fail_call("--tokens is for models; the textbook's network takes a sentence or --vectors");
    if (!call.vectors.empty() && sub.count("--width"))
      fail_call("--width is for words; vectors have their own width");
    if (call.output == "next-word" && call.outputs != 0 && call.vectors.empty())
      fail_call("--outputs is for --output class or regression; the next word is one of the sentence's own");
    return;
  }
  const std::string option = given_option(sub, k_textbook_options);
  if (!option.empty())
    fail_call(option, " is for the textbook's network; add --network textbook, or leave it out");
}

// ---- the textbook's network ---------------------------------------------------------------------------

namespace {

TextbookConfig textbook_config(const NetworkCall& call) {
  TextbookConfig c;
  c.width = call.width;
  c.heads = call.heads;
  c.add_norm = call.add_norm;
  c.mask = call.mask == "causal" ? Mask::causal : Mask::none;
  for (Positions p : {Positions::learned, Positions::sinusoidal, Positions::rotary})
    if (call.positions == name(p)) c.positions = p;
  if (call.output == "class") c.head = Head::classes;
  if (call.output == "regression") c.head = Head::regression;
  c.outputs = call.outputs;
  if (c.outputs == 0 && c.head != Head::next_word) c.outputs = c.head == Head::classes ? 2 : 1;
  return c;
}

// The only array of a file of many, or the one called "vectors".
Tensor one_of(std::map<std::string, Tensor> arrays, const std::string& path) {
  const auto found = arrays.size() == 1 ? arrays.begin() : arrays.find("vectors");
  if (found != arrays.end()) return std::move(found->second);
  std::string names;
  for (const auto& [name, tensor] : arrays) names += (names.empty() ? "" : ", ") + name;
  fail_call(path, " holds ", arrays.size(), " arrays (", names.substr(0, 200),
            "); expected one, or one called vectors");
}

Tensor read_vectors(const std::string& path) {
  Tensor vectors;
  if (path.ends_with(".npy"))
    vectors = read_npy(path);
  else if (path.ends_with(".csv"))
    vectors = std::move(read_csv(path).values);
  else if (path.ends_with(".npz"))
    vectors = one_of(read_npz(path), path);
  else if (path.ends_with(".safetensors"))
    vectors = one_of(read_safetensors(path).tensors, path);
  else
    fail_call("--vectors ", path, ": expected a file that ends with .npy, .csv, .npz or .safetensors");
  if (vectors.shape().rank() == 3 && vectors.shape()[0].size == 1)  // a batch of one
    vectors.reshape(Shape::unnamed({vectors.shape()[1].size, vectors.shape()[2].size}));
  if (vectors.shape().rank() != 2 || vectors.count() == 0)
    fail_call(path, ": the vectors are ", vectors.shape().text(), ", expected one row a vector");
  return vectors;
}

Input textbook_input(const NetworkCall& call, const std::optional<std::string>& argument) {
  TextbookConfig config = textbook_config(call);
  if (!call.vectors.empty()) {
    if (argument) fail_call("a text and --vectors exclude each other; leave one out");
    const Tensor vectors = read_vectors(call.vectors);
    config.context = vectors.shape()[0].size;
    return {Model::textbook_walk(vectors, config, call.seed), "", {}};
  }
  const std::string text = text_of(argument);
  config.context = static_cast<int64_t>(word_tokenizer_from(text)->encode(text).size());
  return {Model::textbook_walk(text, config, call.seed), text, {}};
}

}  // namespace

CLI::Validator from_zero() {
  return {[](std::string& given) {
            const bool digits = !given.empty() && given.find_first_not_of("0123456789") == given.npos;
            return digits && given.size() <= 9 ? "" : "expected a whole number, from 0, not '" + given + "'";
          },
          ""};
}

Input input_of(const NetworkCall& call, const std::optional<std::string>& argument) {
  if (call.textbook()) return textbook_input(call, argument);
  if (call.tokens.empty()) {
    const std::string text = text_of(argument);
    Input input{open_model(call.model), text, {}};
    if (!input.model.tokenizer())
      fail_call("this model has no tokenizer; give token ids instead of a text: --tokens 2,0,1");
    return input;
  }
  if (argument) fail_call("a text and --tokens exclude each other; leave one out");
  Input input{open_model(call.model), "", call.tokens};
  const int64_t vocabulary = std::visit([](const auto& c) { return c.vocabulary; }, input.model.config());
  for (int64_t id : input.tokens)
    if (id < 0 || id >= vocabulary)
      fail_call("--tokens: ", id, " is not a token; this model has 0 to ", vocabulary - 1);
  return input;
}

// ---- edits --------------------------------------------------------------------------------------------

Edit read_edit(const std::string& text) {
  std::string file;
  Edit edit = edit_of(text, &file);
  if (edit.action != Edit::Action::replace) return edit;
  if (file.ends_with(".npy")) {
    edit.with = read_npy(file);
  } else if (edit.pattern.find('*') != edit.pattern.npos) {
    fail_call("--edit ", text, ": replace takes one stage's value; write its whole name");
  } else {
    const Trace stored = load_trace(file);
    edit.with = stored[edit.pattern];
  }
  return edit;
}

}  // namespace limpid::command
