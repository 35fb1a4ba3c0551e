#include "limpid/input.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/label.h"
#include "explore/textbook.h"
#include "files/recognize.h"
#include "limpid/files.h"
#include "limpid/images.h"

namespace limpid::command {

// ---- texts and files --------------------------------------------------------------------------------

namespace {

// The line end that programs put after a text is not part of it; a text that is nothing else is.
std::string without_last_line_end(std::string text) {
  const size_t end = text.ends_with("\r\n") ? 2 : text.ends_with('\n') ? 1 : 0;
  if (text.size() > end) text.resize(text.size() - end);
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
  if (text.empty()) fail_call("the text is empty; give at least one word, such as \"Life is short\"");
  return text;
}

bool is_trace_file(const std::string& argument) {
  if (!argument.ends_with(".safetensors") && !argument.ends_with(".npz")) return false;
  if (std::filesystem::exists(argument)) return true;
  if (argument.find_first_of(" \n") != argument.npos) return false;
  fail_work(argument,
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
const std::vector<std::string> k_textbook_options = {"--seed", "--width",  "--positions", "--add-norm",
                                                     "--mask", "--output", "--outputs",   "--separator"};

}  // namespace

std::vector<int64_t> ids_of(const char* option, const std::string& list) {
  std::vector<int64_t> ids;
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    const std::string item = list.substr(at, comma - at);
    int64_t id = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), id);
    if (item.empty() || error != std::errc() || end != item.data() + item.size())
      fail_call(option, " ", list, ": '", item, "' is not a token id; expected whole numbers, such as 2,0,1");
    ids.push_back(id);
    at = comma + 1;
  }
  return ids;
}

std::vector<std::string> network_options() {
  std::vector<std::string> all = k_textbook_options;
  all.insert(all.end(), {"--model", "--tokenizer", "--activation", "--weights", "--heads", "--network",
                         "--vectors", "--tokens", "--decoder"});
  return all;
}

void add_network_options(CLI::App& sub, NetworkCall& call) {
  const auto one_of = [](CLI::Option* option, const std::vector<std::string>& words) {
    std::string list;
    for (const std::string& word : words) list += (list.empty() ? "" : "|") + word;
    option->check(CLI::IsMember(words).description(""))->type_name(list);
  };
  const std::string model = "Model", textbook = "The textbook's network";
  add_model_options(sub, call, model);
  sub.add_option_function<std::string>(
         "--tokens",
         [&call](const std::string& list) {
           const bool ids = list.find_first_not_of("0123456789,") == list.npos;
           ids ? void(call.tokens = ids_of("--tokens", list)) : void(call.words = list);
         },
         "Token ids instead of a text, for a model that has no tokenizer: 2,0,1.")
      ->type_name("IDS")
      ->group(model);
  sub.add_option(
         "--decoder", call.target,
         "What an encoder-decoder writes beside the text, in place of its own words: a text, or the ids of "
         "all that its decoder reads: 0,5,6.")
      ->type_name("TEXT|IDS")
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
  sub.add_option(
         "--vectors", call.vectors,
         "Input vectors instead of words, one a row: a .npy, .npz or .safetensors file, or numbers as "
         "text (.csv, .tsv, .txt), with a first row or a first column of names or without.")
      ->type_name("FILE")
      ->group(textbook);
  sub.add_option(
         "--separator", call.separator,
         "What stands between the numbers of such a text; left out: a tab, semicolon, comma or blanks, the "
         "first of these that its first line holds.")
      ->check(CLI::IsMember({"comma", "semicolon", "tab", "blanks"}).description(""))
      ->type_name("comma|semicolon|tab|blanks")
      ->group(textbook);
  sub.add_option("--width", call.width, "How many numbers stand for a word (4).")
      ->type_name("N")
      ->group(textbook);
  sub.add_option("--heads", call.heads,
                 "How many heads share the width; more than one are joined and projected (1).  Also for a "
                 "--model that does not say how many it has.")
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
  if (!call.words.empty()) ids_of("--tokens", call.words);  // says what is wrong with it
  if (call.textbook()) {
    if (!call.model.empty())
      fail_call("--model and the textbook's network exclude each other; leave one out");
    if (!call.tokenizer.empty() || call.activation)
      fail_call(call.activation ? "--activation" : "--tokenizer", " is for models; leave it out");
    if (call.weights) fail_call("--weights is for models; leave it out");
    if (!call.separator.empty() && call.vectors.empty())
      fail_call("--separator is for --vectors; leave it out");
    if (call.target) fail_call("--decoder is for encoder-decoders; leave it out");
    if (!call.tokens.empty())
      fail_call("--tokens is for models; the textbook's network takes a sentence or --vectors");
    if (!call.vectors.empty() && sub.count("--width"))
      fail_call("--width is for words; vectors have their own width");
    if (call.output == "next-word" && call.outputs != 0 && call.vectors.empty())
      fail_call("--outputs is for --output class or regression; the next word is one of the sentence's own");
    return;
  }
  std::string option = given_option(sub, k_textbook_options);
  if (option.empty() && call.heads && call.model.empty()) option = "--heads";
  if (!option.empty())
    fail_call(option, " is for the textbook's network; add --network textbook, or leave it out");
}

// ---- the textbook's network ---------------------------------------------------------------------------

TextbookConfig textbook_config(const NetworkCall& call) {
  TextbookConfig c;
  c.width = call.width;
  c.heads = call.heads.value_or(1);
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

namespace {

// The only array of a file of many, or the one called "vectors".
Tensor one_of(std::map<std::string, Tensor> arrays, const std::string& path) {
  const auto found = arrays.size() == 1 ? arrays.begin() : arrays.find("vectors");
  if (found != arrays.end()) return std::move(found->second);
  std::string names;
  for (const auto& [name, tensor] : arrays) names += (names.empty() ? "" : ", ") + name;
  fail_call(path, " holds ", arrays.size(), " arrays (", names.substr(0, 200),
            "); expected one, or one called vectors");
}

struct Vectors {
  Tensor rows;
  std::vector<std::string> names;  // empty: the file has none
};

CsvOptions csv_options(const std::string& separator) {
  CsvOptions options;
  const std::map<std::string, char> words = {
      {"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}, {"blanks", ' '}};
  if (!separator.empty()) options.separator = words.at(separator);
  return options;
}

Vectors read_vectors(const std::string& path, const std::string& separator) {
  Tensor vectors;
  std::vector<std::string> names;
  const bool table = path.ends_with(".csv") || path.ends_with(".tsv") || path.ends_with(".txt");
  if (!table && !separator.empty())
    fail_call("--separator is for numbers as text, ", path, " is not; leave it out");
  if (path.ends_with(".npy"))
    vectors = read_npy(path);
  else if (table) {
    CsvNumbers numbers = read_csv(path, csv_options(separator));
    vectors = std::move(numbers.values);
    names = std::move(numbers.labels);
  } else if (path.ends_with(".npz"))
    vectors = one_of(read_npz(path), path);
  else if (path.ends_with(".safetensors"))
    vectors = one_of(read_safetensors(path).tensors, path);
  else {
    const RecognizedFile seen = recognize(std::filesystem::path(path));
    fail_call("--vectors ", path, " is ", seen.what,
              "; expected a file that ends with .npy, .npz, .safetensors, .csv, .tsv or .txt");
  }
  if (vectors.shape().rank() == 3 && vectors.shape()[0].size == 1)  // a batch of one
    vectors.reshape(Shape::unnamed({vectors.shape()[1].size, vectors.shape()[2].size}));
  if (vectors.shape().rank() != 2 || vectors.count() == 0)
    fail_call(path, ": the vectors are ", vectors.shape().text(), ", expected one row a vector");
  return {std::move(vectors), std::move(names)};
}

Input vectors_input(const NetworkCall& call) {
  TextbookConfig config = textbook_config(call);
  Vectors vectors = read_vectors(call.vectors, call.separator);
  config.context = vectors.rows.shape()[0].size;
  Input input{Model::textbook_walk(vectors.rows, config, call.seed), "", {}};
  if (!vectors.names.empty()) input.model.set_vector_names(std::move(vectors.names));
  return input;
}

Input walk_input(const NetworkCall& call, const std::string& text) {
  return {explore::textbook_of({textbook_config(call), call.seed}, text), text, {}};
}

}  // namespace

CLI::Validator from_zero() {
  return {[](std::string& given) {
            const bool digits = !given.empty() && given.find_first_not_of("0123456789") == given.npos;
            return digits && given.size() <= 9 ? "" : "expected a whole number, from 0, not '" + given + "'";
          },
          ""};
}

void Input::take(const std::string& given, bool hold_back) {
  if (reads_series(model.config())) {
    series = read_series_for(model, given, hold_back);
    for (const std::string& note : series->notes)
      std::fprintf(stderr, "limpid: note: %s\n", visible_line(note).c_str());
    pixels = series->values;
    text = series->name;
    return;
  }
  if (hold_back) fail_call("--truth is for a model that reads series; leave it out");
  if (!reads_images(model.config())) {
    text = given;
    return;
  }
  const ImageSource image = image_named(given);
  pixels = model.image_input(image.read());
  text = image.name;
}

size_t Input::length() const {
  if (pixels.count() > 0) return static_cast<size_t>(context_of(model.config()));
  return tokens.empty() ? model.encode(text).size() : tokens.size();
}

namespace {

void take_text(Input& input, const std::string& text) {
  if (!input.model.tokenizer())
    fail_call(
        "this model has no tokenizer; give it as --tokenizer FILE, or token ids instead of a text: "
        "--tokens "
        "2,0,1");
  refuse_image(text);
  input.take(text);
}

bool reads_files(const NetworkConfig& config) { return reads_images(config) || reads_series(config); }

void require_tokens(const char* option, const std::vector<int64_t>& ids, int64_t vocabulary) {
  for (int64_t id : ids)
    if (id < 0 || id >= vocabulary)
      fail_call(option, ": ", id, " is not a token; this model has 0 to ", vocabulary - 1);
}

// Token ids are all that the decoder reads; a text stands behind the token that begins one.
void set_target(const NetworkCall& call, Input& input) {
  if (!call.target) return;
  if (!reads_source(input.model.config()))
    fail_call("--decoder is what an encoder-decoder writes, and this model has no encoder; leave it out");
  if (!call.target->empty() && call.target->find_first_not_of("0123456789,") == std::string::npos) {
    input.target = ids_of("--decoder", *call.target);
    return require_tokens("--decoder", *input.target, vocabulary_of(input.model.config()));
  }
  const auto& writing = input.model.tasks().writing;
  if (!writing)
    fail_call(
        "--decoder: this model does not say which token its text begins with; give ids, the first of them "
        "that one");
  input.target = {writing->start};
  if (call.target->empty()) return;
  if (!input.model.tokenizer()) fail_call("--decoder: this model has no tokenizer; give token ids");
  const std::vector<int64_t> ids = input.model.tokenizer()->encode_for_model(*call.target).ids;
  input.target->insert(input.target->end(), ids.begin(), ids.end());
}

}  // namespace

Input input_of(const NetworkCall& call, const std::optional<std::string>& argument) {
  if (!call.vectors.empty()) {
    if (argument) fail_call("a text and --vectors exclude each other; leave one out");
    return vectors_input(call);
  }
  if (call.textbook()) return input_of_text(call, text_of(argument));
  if (call.tokens.empty()) {
    // What the argument means depends on the model; the built-in one reads texts.
    if (call.model.empty()) return input_of_text(call, text_of(argument));
    Input input{tower_for(open_model(call), argument && names_images(*argument)), "", {}};
    if (reads_files(input.model.config()))
      input.take(argument.value_or("-"), call.hold_back);
    else
      take_text(input, text_of(argument));
    set_target(call, input);
    return input;
  }
  if (argument) fail_call("a text and --tokens exclude each other; leave one out");
  Input input{tower_for(open_model(call), false), "", call.tokens};
  const int64_t vocabulary = source_vocabulary_of(input.model.config());
  if (reads_images(input.model.config()))
    fail_call("this model reads images, which have no token ids; give a PNG or JPEG file");
  if (reads_series(input.model.config()))
    fail_call("this model reads series, which have no token ids; give a table of numbers (.csv, .tsv)");
  require_tokens("--tokens", input.tokens, vocabulary);
  set_target(call, input);
  return input;
}

Input input_of_text(const NetworkCall& call, const std::string& text) {
  if (call.textbook()) return walk_input(call, text);
  Input input{tower_for(open_model(call), names_images(text)), "", {}};
  if (reads_files(input.model.config()))
    input.take(text, call.hold_back);
  else
    take_text(input, text);
  set_target(call, input);
  return input;
}

}  // namespace limpid::command
