// The way back: tokens become a text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/pipeline/regex.h"

namespace limpid::text {

/// Never changes; used from many threads.  The text is what the tokens' strings are, one after another, after
/// the decoder.  Bytes stay bytes: a token that is half a character gives half a character.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};
using Decoders = std::vector<std::unique_ptr<const Decoder>>;

std::unique_ptr<Decoder> decoder_sequence(Decoders stages);
std::unique_ptr<Decoder> byte_level_decoder();
std::unique_ptr<Decoder> wordpiece_decoder(std::string prefix, bool cleanup);
/// `replacement` is a blank, but in the first token, where it goes if `drop_first`.
std::unique_ptr<Decoder> metaspace_decoder(std::string replacement, bool drop_first);
std::unique_ptr<Decoder> bpe_decoder(std::string suffix);
std::unique_ptr<Decoder> byte_fallback_decoder();
std::unique_ptr<Decoder> fuse_decoder();
std::unique_ptr<Decoder> strip_decoder(std::string content, size_t start, size_t stop);
std::unique_ptr<Decoder> replace_decoder(std::string what, std::string with);
std::unique_ptr<Decoder> replace_decoder(Regex what, std::string with);
struct CtcOptions {
  std::string pad = "<pad>", word_delimiter = "|";
  bool cleanup = true;
};
std::unique_ptr<Decoder> ctc_decoder(CtcOptions);
/// A blank between any two tokens: what a file without a decoder means.
std::unique_ptr<Decoder> spaces_decoder();

/// The byte of "<0x0A>"; -1 where a token is no such name.
int byte_of_name(std::string_view token);

}  // namespace limpid::text
