// The second stage: a text is cut into pieces, which no token crosses.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "text/pipeline/aligned_text.h"
#include "text/pipeline/regex.h"

namespace limpid::text {

/// The bytes [begin, end) of a text.
struct Cut {
  uint32_t begin = 0, end = 0;
};

/// A text and its pieces, in order; what lies between them is dropped.
struct Pieces {
  AlignedText text;
  std::vector<Cut> cuts;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Pieces& pieces) const = 0;
};
using PreTokenizers = std::vector<std::unique_ptr<const PreTokenizer>>;

/// What happens to the places that a splitter finds.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// ---- split.cpp
/// Says where something stands in a piece: it appends cuts, ascending and apart.
class Finder {
 public:
  virtual ~Finder() = default;
  virtual void find(std::string_view piece, std::vector<Cut>& found) = 0;
};
/// Cuts every piece where `finder` finds something; `invert`: where it does not.
void split(Pieces& pieces, Finder& finder, SplitBehavior behavior, bool invert = false);
std::unique_ptr<PreTokenizer> split_pre_tokenizer(Regex what, SplitBehavior, bool invert);
std::unique_ptr<PreTokenizer> split_pre_tokenizer(std::string what, SplitBehavior, bool invert);
using CharacterTest = bool (*)(char32_t);
/// Each character of a kind is found by itself.
std::unique_ptr<PreTokenizer> split_pre_tokenizer(CharacterTest, SplitBehavior);

// ---- pre_tokenizers.cpp
std::unique_ptr<PreTokenizer> pre_tokenizer_sequence(PreTokenizers stages);
std::unique_ptr<PreTokenizer> bert_pre_tokenizer();
/// `map`: bytes become GPT-2's characters for them; not where the model takes bytes.
struct ByteLevelOptions {
  bool add_prefix_space = true;
  bool use_regex = true;
  bool map = true;
};
std::unique_ptr<PreTokenizer> byte_level_pre_tokenizer(const ByteLevelOptions&);
enum class PrependScheme { always, first, never };
std::unique_ptr<PreTokenizer> metaspace_pre_tokenizer(std::string replacement, PrependScheme, bool split);
std::unique_ptr<PreTokenizer> whitespace_pre_tokenizer();  // \w+|[^\w\s]+
/// Every `length` characters.
std::unique_ptr<PreTokenizer> fixed_length_pre_tokenizer(size_t length);

}  // namespace limpid::text
