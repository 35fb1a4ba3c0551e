// Pages of a trace: what is shown is what was computed, and fits the terminal.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <regex>
#include <set>
#include <sstream>

#include "core/utf8.h"
#include "core/width.h"
#include "trace_helpers.h"

namespace limpid {
namespace {

// ---- pages ---------------------------------------------------------------------------------------

void expect_all_pages_fit(const Trace& trace, const std::string& what) {
  for (int columns : {30, 40, 57, 80, 120, 200})
    for (bool colour : {false, true}) {
      PageOptions options;
      options.columns = columns;
      options.colour = colour;
      options.most_rows = columns == 57 ? 1000 : 8;
      options.true_colour = columns != 80;
      expect_fits(page(trace, options), options, what);
      const auto last = static_cast<int>(trace.tokens.size()) - 1;
      expect_fits(token_page(trace, 0, 0, {0, last}, options), options, what);
    }
}

TEST(Page, fits_every_terminal) {
  expect_all_pages_fit(textbook(), "textbook");
  expect_all_pages_fit(textbook("Life is short", everything(), true), "textbook with everything");
  expect_all_pages_fit(textbook("a b c", with_head(Head::classes, 5)), "classes");
  expect_all_pages_fit(textbook("a b c", with_head(Head::regression, 1)), "regression");
  expect_all_pages_fit(vectors(), "vectors");
  expect_all_pages_fit(gpt("To be, or not to be, that is the question"), "gpt");
  expect_all_pages_fit(training_step(), "training step");
}

TEST(Page, shows_a_training_step_like_a_forward_pass) {
  const std::string text = page(training_step(), {});
  for (const char* piece : {"the first of 2 sentences", "loss", "Gradient", "attn.pattern.grad",
                            "logits.grad", "attn.W_Q.grad", "head 0 of 2"})
    EXPECT_NE(text.find(piece), std::string::npos) << piece;
}

TEST(Page, fits_whatever_the_words_are) {
  const std::string hostile =
      "日本語日本語日本語日本語日本語 👩‍👩‍👧 e\u0301 \x1b[31mred\x1b[0m \u202ertl "
      "\xff\xfe " +
      std::string(300, 'x') + " \u0301 ❤️ شكرا \u200b";
  expect_all_pages_fit(textbook(hostile), "hostile words");
  expect_all_pages_fit(gpt("\x1b]0;title\x07\t\n\r\xc3 日本 \u202e"), "hostile bytes");
}

TEST(Page, fits_after_a_file_said_anything) {
  Trace trace = textbook();
  trace.title = "\x1b[2J" + std::string(400, 'y');
  trace.text.clear();
  trace.token_word = "wo\nrd";
  trace.notes = {"a\tnote\x07", std::string(500, 'n')};
  trace.edited = {"blocks.0.attn.z\x1b[1A=zero"};
  trace.vocabulary = {"\r", "\x1b[31m", ""};
  for (Token& token : trace.tokens) token.label = "\x1b[5m\n" + token.label;
  expect_all_pages_fit(trace, "hostile metadata");
}

TEST(Page, colour_changes_no_letter_and_lands_only_when_asked) {
  for (const Trace& trace : {textbook(), gpt("Life")}) {
    PageOptions plain, colour;
    colour.colour = true;
    EXPECT_EQ(page(trace, plain).find('\x1b'), std::string::npos);
    const std::string coloured = page(trace, colour);
    EXPECT_NE(coloured.find("\x1b[38;2;0;114;178m"), std::string::npos) << "queries are blue";
    EXPECT_NE(coloured.find("\x1b[48;2;"), std::string::npos) << "weights are shaded";
    colour.true_colour = false;
    EXPECT_EQ(page(trace, colour).find(";2;"), std::string::npos);
  }
}

// ---- law 1: every number shown was computed by this run ------------------------------------------

std::string written(double value, int decimals) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals, value);
  return buffer;
}

// Every number with exactly so many decimals.
std::multiset<std::string> numbers_on(const std::string& text, int decimals) {
  const std::regex number("(^|[^0-9.])(-?[0-9]+\\.[0-9]{" + std::to_string(decimals) + "})(?![0-9])");
  std::multiset<std::string> out;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), number); at != std::sregex_iterator(); ++at)
    out.insert((*at)[2]);
  return out;
}

std::set<std::string> cells_of(const Trace& trace, int decimals) {
  std::set<std::string> out;
  for (const auto* tensors : {&trace.values, &trace.parameters})
    for (const auto& [name, tensor] : *tensors) {
      Tensor flat = tensor;
      flat.reshape(Shape::unnamed({tensor.count()}));
      for (int64_t i = 0; i < tensor.count(); ++i) out.insert(written(flat.at({i}), decimals));
    }
  return out;
}

TEST(Page, every_number_is_a_cell_of_the_trace) {
  constexpr int k_decimals = 5;  // few numbers share five decimals by chance
  for (const Trace& trace :
       {textbook("Life is short", {}, true), textbook("a b a c", everything()), vectors()}) {
    PageOptions options;
    options.decimals = k_decimals;
    options.columns = 120;
    options.head = 1 % static_cast<int>(trace["blocks.0.attn.pattern"].shape().size(Axis::H));
    const std::set<std::string> cells = cells_of(trace, k_decimals);
    const std::multiset<std::string> shown = numbers_on(page(trace, options), k_decimals);
    EXPECT_GT(shown.size(), 80u);
    for (const std::string& number : shown)
      EXPECT_TRUE(cells.count(number)) << number << " is no cell of the trace";
  }
}

TEST(Page, a_number_changes_when_its_cell_does_and_no_other_does) {
  const Trace before = textbook();
  PageOptions options;
  options.decimals = 5;
  const std::multiset<std::string> shown = numbers_on(page(before, options), 5);
  int seen = 0;
  for (const auto& [name, tensor] : before.values) {
    if (tensor.dtype() != DType::f64 || tensor.count() == 0 || name == "blocks.0.attn.joined") continue;
    if (name.ends_with(".lse_rest")) continue;  // shown where it is not too small to be seen
    Trace after = before;
    Index first(static_cast<size_t>(tensor.shape().rank()), 0);
    const double old_value = tensor.at(first);
    after.values[name].set(first, 0.73197);
    std::multiset<std::string> expected = shown;
    const auto found = expected.find(written(old_value, 5));
    ASSERT_NE(found, expected.end()) << name << " is not on the page";
    expected.erase(found);
    expected.insert("0.73197");
    EXPECT_EQ(numbers_on(page(after, options), 5), expected) << name;
    ++seen;
  }
  EXPECT_EQ(seen, 11);
}

TEST(Page, prints_the_whole_textbook_walk) {
  PageOptions options;
  options.decimals = 8;
  options.columns = 120;
  const std::string text = page(textbook("Life is short", {}, true), options);
  for (const char* anchor :
       {"0.07630829", "0.77991879", "0.43840923", "0.72346518", "0.32494212", "0.57755193", "0.09750595"})
    EXPECT_NE(text.find(anchor), std::string::npos) << anchor;
  for (const char* name : {"W_E", "W_Q", "W_K", "W_V", "W_U", "Life 0", "is 1", "short 2", "Key insight"})
    EXPECT_NE(text.find(name), std::string::npos) << name;
}

TEST(Page, says_what_it_leaves_out) {
  const std::string text = page(gpt("To be, or not to be, that is the question"), {});
  for (const char* piece : {"more tokens", "of 32 numbers", "of 4 heads", "more, each less likely",
                            "--layer 1", "--layer 2", "masked"})
    EXPECT_NE(text.find(piece), std::string::npos) << piece;
  PageOptions second;
  second.layer = 2;
  const std::string other = page(gpt("To be"), second);
  EXPECT_NE(other.find("Layer 2: attention"), std::string::npos);
  EXPECT_NE(other.find("--layer 0"), std::string::npos);
}

TEST(Page, nothing_that_is_not_finite_is_overlooked) {
  Trace trace = textbook();
  trace.values["blocks.0.attn.v"].set({0, 1, 0, 2}, std::numeric_limits<double>::quiet_NaN());
  trace.values["logits"].set({0, 2, 1}, std::numeric_limits<double>::infinity());
  const std::string text = page(trace, {});
  EXPECT_NE(text.find("NaN"), std::string::npos);
  EXPECT_NE(text.find("! 1 NaN of 12 numbers here"), std::string::npos) << text;
  EXPECT_NE(text.find("! 1 infinite of 9 numbers here"), std::string::npos);
  for (auto& [name, tensor] : trace.values)
    if (tensor.dtype() == DType::f64) std::fill_n(tensor.data<double>(), tensor.count(), std::nan(""));
  expect_all_pages_fit(trace, "nothing but NaN");
}

TEST(Page, shows_what_was_observed_and_says_what_was_not) {
  TraceOptions options;
  options.observe = {{"blocks.0.attn.pattern"}, {"blocks.0.attn.q", Depth::summary}};
  const Trace trace = Model::textbook_walk("Life is short", {}, 7).trace("Life is short", options);
  const std::string text = page(trace, {});
  EXPECT_NE(text.find("mean"), std::string::npos);
  EXPECT_NE(text.find("stages not observed"), std::string::npos);
  EXPECT_EQ(text.find("attn.k "), std::string::npos);
  try {
    token_page(trace, 0, 0, {1}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::call);
    EXPECT_NE(std::string(error.what()).find("blocks.0.attn.q"), std::string::npos) << error.what();
  }
}

// Weights that were never stored: the page shows what was gathered of them, the file keeps it, and both agree
// with the weights.
TEST(Page, shows_what_streamed_by) {
  Model model = Model::builtin();
  TraceOptions options;
  options.observe = {
      {"*attn.pattern", Depth::top, 2}, {"*attn.pattern", Depth::entropy}, {"*attn.pattern", Depth::map, 2}};
  const Trace trace = model.trace("Life is short", options);
  EXPECT_FALSE(trace.has("blocks.0.attn.pattern"));
  const std::string text = page(trace, {});
  EXPECT_NE(text.find("looks most"), std::string::npos) << text;
  EXPECT_NE(text.find("entropy of a row"), std::string::npos);
  for (const int columns : {30, 60, 80}) {
    PageOptions narrow;
    narrow.columns = columns;
    for (const std::string& line : lines_of(page(trace, narrow)))
      EXPECT_LE(display_width(line), static_cast<size_t>(columns)) << line;
  }

  const std::string file = ::testing::TempDir() + "streamed.safetensors";
  save(trace, file);
  const Trace again = load_trace(file);
  EXPECT_EQ(page(again, {}), text);
  const Tensor &weight = again["blocks.1.attn.pattern@top2.weight"],
               &key = again["blocks.1.attn.pattern@top2.index"];
  const Trace whole = model.trace("Life is short", {});
  const Tensor& pattern = whole["blocks.1.attn.pattern"];
  for (int64_t t = 0; t < pattern.shape().size(Axis::T); ++t)
    EXPECT_NEAR(weight.at({0, 0, t, 0}), pattern.at({0, 0, t, static_cast<int64_t>(key.at({0, 0, t, 0}))}),
                1e-6);
  std::remove(file.c_str());
}

// ---- one token -----------------------------------------------------------------------------------

struct Row {
  std::string label;
  std::vector<double> numbers;
};

std::vector<Row> rows_of(const std::string& text) {
  static const std::regex k_number("-?[0-9]+\\.[0-9]+");
  std::vector<Row> rows;
  for (const std::string& line : lines_of(text)) {
    Row row{line.substr(0, line.find(' ')), {}};
    for (auto at = std::sregex_iterator(line.begin(), line.end(), k_number); at != std::sregex_iterator();
         ++at)
      row.numbers.push_back(std::stod(at->str()));
    if (!row.numbers.empty()) rows.push_back(row);
  }
  return rows;
}

TEST(TokenPage, what_is_printed_recombines) {
  PageOptions options;
  options.decimals = 6;
  options.columns = 200;
  const Trace trace = textbook();
  const std::vector<Row> rows = rows_of(token_page(trace, 0, 0, {2}, options));
  // query; three keys; sum of weights; lse; three values; sum z
  ASSERT_EQ(rows.size(), 10u);
  const std::vector<double>& query = rows[0].numbers;
  ASSERT_EQ(query.size(), 4u);
  double weights = 0;
  std::vector<double> z(4);
  for (size_t s = 0; s < 3; ++s) {
    const std::vector<double>& key = rows[1 + s].numbers;  // 4 pairs, dot, scaled, weight
    ASSERT_EQ(key.size(), 11u);
    double dot = 0;
    for (size_t d = 0; d < 4; ++d) {
      EXPECT_EQ(key[2 * d], query[d]);
      dot += key[2 * d] * key[2 * d + 1];
    }
    EXPECT_NEAR(dot, key[8], 1e-5);
    EXPECT_NEAR(key[8] / 2, key[9], 1e-6);
    EXPECT_NEAR(std::exp(key[9] - rows[5].numbers[0]), key[10], 2e-6);
    weights += key[10];
    const std::vector<double>& value = rows[6 + s].numbers;  // weight, 4 values, 4 products
    ASSERT_EQ(value.size(), 9u);
    EXPECT_EQ(value[0], key[10]);
    for (size_t d = 0; d < 4; ++d) {
      EXPECT_NEAR(value[0] * value[1 + d], value[5 + d], 2e-6);
      z[d] += value[5 + d];
    }
  }
  EXPECT_NEAR(weights, rows[4].numbers[0], 2e-6);
  for (size_t d = 0; d < 4; ++d) {
    EXPECT_NEAR(z[d], rows[9].numbers[d], 3e-6);
    EXPECT_NEAR(trace["blocks.0.attn.z"].at({0, 2, 0, static_cast<int64_t>(d)}), rows[9].numbers[d], 1e-6);
  }
}

TEST(TokenPage, what_is_left_out_is_added_up) {
  const Trace trace = gpt("To be, or not to be, that is the question");
  PageOptions options;
  options.decimals = 6;
  options.columns = 140;
  const auto last = static_cast<int>(trace.tokens.size()) - 1;
  const std::vector<Row> rows = rows_of(token_page(trace, 1, 3, {last}, options));
  size_t at = 1;
  double weights = 0;
  for (; at < rows.size() && rows[at].label != "⋮"; ++at) weights += rows[at].numbers.back();
  ASSERT_LT(at + 1, rows.size());
  EXPECT_EQ(at, 17u);  // the query, and 16 keys
  weights += rows[at].numbers.back();
  EXPECT_NEAR(weights, 1, 2e-5);
  EXPECT_NEAR(rows[at + 1].numbers.back(), 1, 1e-6);
  std::vector<double> sums;
  for (at += 3; at < rows.size(); ++at) {
    const size_t shown = (rows.back().numbers.size());
    sums.resize(shown);
    const std::vector<double>& numbers = rows[at].numbers;
    ASSERT_GE(numbers.size(), shown);
    for (size_t d = 0; d < shown; ++d)
      if (at + 1 < rows.size())
        sums[d] += numbers[numbers.size() - shown + d];
      else
        EXPECT_NEAR(sums[d], numbers[d], 3e-5);
  }
  EXPECT_FALSE(sums.empty());
}

TEST(TokenPage, follows_rotated_queries_and_shared_keys) {
  PageOptions options;
  options.columns = 100;
  const std::string text = token_page(gpt("Life is"), 1, 3, {5, 6}, options);
  EXPECT_NE(text.find("attn.rot_q"), std::string::npos);
  EXPECT_NE(text.find("reads key head 1"), std::string::npos);
  EXPECT_NE(text.find("\"is\" became 2 tokens: 5 \"i\", 6 \"s\""), std::string::npos) << text;
  EXPECT_NE(text.find("masked"), std::string::npos);
}

TEST(TokenPage, names_what_does_not_exist) {
  const Trace trace = textbook();
  const auto message = [&](int layer, int head, const std::vector<int>& tokens) {
    try {
      token_page(trace, layer, head, tokens, {});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::call);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message(1, 0, {0}).find("layer 1"), std::string::npos);
  EXPECT_NE(message(0, 2, {0}).find("head 2"), std::string::npos);
  EXPECT_NE(message(0, 0, {3}).find("token 3"), std::string::npos);
  EXPECT_NE(message(0, 0, {-1}).find("token -1"), std::string::npos);
  EXPECT_NE(message(0, 0, {}), "");
  PageOptions options;
  options.layer = 4;
  EXPECT_THROW(page(trace, options), Error);
  options = {};
  options.columns = 10;
  EXPECT_THROW(page(trace, options), Error);
}

// ---- the key insight -----------------------------------------------------------------------------

TEST(KeyInsight, follows_the_weights_and_the_probabilities) {
  Trace trace = textbook();
  Tensor& pattern = trace.values["blocks.0.attn.pattern"];
  const double row[] = {0.9, 0.06, 0.04};
  for (int64_t s = 0; s < 3; ++s) pattern.set({0, 0, 2, s}, row[s]);
  Tensor& probs = trace.values["probs"];
  const double next[] = {0.2, 0.1, 0.7};
  for (int64_t v = 0; v < 3; ++v) probs.set({0, 2, v}, next[v]);
  const std::string text = key_insight(trace);
  for (const char* piece : {"\"short\" looks at \"Life\" most (0.90), at \"short\" least (0.040)", "36%",
                            "\"short\" (0.70)", "3.5 times as likely as \"Life\""})
    EXPECT_NE(text.find(piece), std::string::npos) << piece << " in: " << text;
  const std::string many = key_insight(gpt("Life is short"));
  EXPECT_NE(many.find("of 12 heads"), std::string::npos) << many;
}

TEST(KeyInsight, says_where_a_score_came_from_when_that_is_a_sum) {
  const Trace trace = textbook("Life is short", {}, true);
  EXPECT_NE(key_insight(trace).find("of its score came by way of"), std::string::npos) << key_insight(trace);
}

}  // namespace
}  // namespace limpid
