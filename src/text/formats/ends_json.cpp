// Post-processors and decoders of tokenizer.json.
#include "text/formats/tokenizer_json.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

using Template = std::vector<TemplatePart>;

int64_t read_id(const JsonValue& v) { return v.integer(0, INT32_MAX); }

Template read_template(const JsonValue& list, const JsonValue& whole, bool pair) {
  Template out;
  list.each_item([&](const JsonValue& part) {
    if (part.has("Sequence")) {
      const JsonValue sequence = part.at("Sequence");
      const std::string name = sequence.at("id").text();
      if (name != "A" && !(pair && name == "B")) sequence.at("id").unexpected(pair ? "A or B" : "A");
      out.push_back({name == "A" ? 0 : 1, sequence.at("type_id").integer(0, INT32_MAX), {}});
    } else if (part.has("SpecialToken")) {
      const JsonValue token = part.at("SpecialToken");
      TemplatePart added{-1, token.at("type_id").integer(0, INT32_MAX), {}};
      whole.at("special_tokens").at(token.at("id").text()).at("ids").each_item([&](const JsonValue& id) {
        added.ids.push_back(read_id(id));
      });
      out.push_back(std::move(added));
    } else {
      part.unexpected("{\"Sequence\": ...} or {\"SpecialToken\": ...}");
    }
  });
  return out;
}

// ["[SEP]", 102]
int64_t read_token(const JsonValue& v) {
  if (!v.json().is_array() || v.size() != 2) v.unexpected("[name, id]");
  return read_id(v.at(size_t{1}));
}

class PostReader {
 public:
  explicit PostReader(SpecialIds& special) : special_(special) {}

  void read(const JsonValue& v) {
    if (v.json().is_null()) return;
    const std::string type = v.at("type").text();
    if (type == "Sequence") {
      v.at("processors").each_item([&](const JsonValue& each) { read(each); });
    } else if (type == "ByteLevel") {
      out.trim_offsets |= boolean_or(v, "trim_offsets", true);
    } else if (type == "TemplateProcessing") {
      once(v);
      out.single = read_template(v.at("single"), v, false);
      out.pair = read_template(v.at("pair"), v, true);
    } else if (type == "BertProcessing") {
      const auto [cls, sep] = ends(v);
      out.single = {{-1, 0, {cls}}, {0, 0, {}}, {-1, 0, {sep}}};
      out.pair = {{-1, 0, {cls}}, {0, 0, {}}, {-1, 0, {sep}}, {1, 1, {}}, {-1, 1, {sep}}};
    } else if (type == "RobertaProcessing") {
      const auto [cls, sep] = ends(v);
      out.trim_offsets |= boolean_or(v, "trim_offsets", true);
      out.single = {{-1, 0, {cls}}, {0, 0, {}}, {-1, 0, {sep}}};
      out.pair = {{-1, 0, {cls}}, {0, 0, {}}, {-1, 0, {sep, sep}}, {1, 0, {}}, {-1, 0, {sep}}};
    } else {
      v.at("type").unexpected("Sequence, ByteLevel, TemplateProcessing, BertProcessing or RobertaProcessing");
    }
  }

  PostProcessing out;

 private:
  void once(const JsonValue& v) {
    if (templated_) v.fail("is a second template, expected one at most");
    templated_ = true;
  }
  std::pair<int64_t, int64_t> ends(const JsonValue& v) {
    once(v);
    special_.cls = read_token(v.at("cls"));
    special_.sep = read_token(v.at("sep"));
    return {*special_.cls, *special_.sep};
  }

  SpecialIds& special_;
  bool templated_ = false;
};

std::unique_ptr<Decoder> read_strip(const JsonValue& v) {
  std::string content = v.at("content").text();
  if (content.empty()) v.at("content").unexpected("one character");
  return strip_decoder(std::move(content), static_cast<size_t>(v.at("start").integer(0, INT32_MAX)),
                       static_cast<size_t>(v.at("stop").integer(0, INT32_MAX)));
}

std::unique_ptr<Decoder> read_replace_decoder(const JsonValue& v) {
  const PatternText pattern = read_pattern(v.at("pattern"));
  std::string with = v.at("content").text();
  if (!pattern.regex) return replace_decoder(pattern.text, std::move(with));
  try {
    return replace_decoder(Regex(pattern.text), std::move(with));
  } catch (const Error& error) {
    v.at("pattern").fail("is wrong: ", error.what());
  }
}

std::unique_ptr<Decoder> read_metaspace_decoder(const JsonValue& v) {
  bool drops = boolean_or(v, "add_prefix_space", true);
  if (has_value(v, "prepend_scheme")) drops = v.at("prepend_scheme").text() != "never";
  return metaspace_decoder(text_or(v, "replacement", "\xE2\x96\x81"), drops);
}

}  // namespace

PostProcessing read_post_processor(const JsonValue& v, SpecialIds& special) {
  PostReader reader(special);
  reader.read(v);
  return std::move(reader.out);
}

std::unique_ptr<Decoder> read_decoder(const JsonValue& v) {
  if (v.json().is_null()) return spaces_decoder();
  const std::string type = v.at("type").text();
  if (type == "Sequence") {
    Decoders stages;
    v.at("decoders").each_item([&](const JsonValue& each) { stages.push_back(read_decoder(each)); });
    return decoder_sequence(std::move(stages));
  }
  if (type == "ByteLevel") return byte_level_decoder();
  if (type == "WordPiece")
    return wordpiece_decoder(text_or(v, "prefix", "##"), boolean_or(v, "cleanup", true));
  if (type == "Metaspace") return read_metaspace_decoder(v);
  if (type == "BPEDecoder") return bpe_decoder(text_or(v, "suffix", "</w>"));
  if (type == "ByteFallback") return byte_fallback_decoder();
  if (type == "Fuse") return fuse_decoder();
  if (type == "Strip") return read_strip(v);
  if (type == "Replace") return read_replace_decoder(v);
  if (type == "CTC") {
    return ctc_decoder({text_or(v, "pad_token", "<pad>"), text_or(v, "word_delimiter_token", "|"),
                        boolean_or(v, "cleanup", true)});
  }
  v.at("type").unexpected(
      "Sequence, ByteLevel, WordPiece, Metaspace, BPEDecoder, ByteFallback, Fuse, Strip, Replace or CTC");
}

TokenText token_text(const JsonValue& v) {
  if (v.json().is_null()) return TokenText::as_written;
  const std::string type = v.at("type").text();
  if (type == "ByteLevel") return TokenText::byte_level;
  if (type == "Metaspace" || type == "ByteFallback") return TokenText::marked;
  if (type == "Replace" && read_pattern(v.at("pattern")).text == "\xE2\x96\x81") return TokenText::marked;
  TokenText found = TokenText::as_written;
  if (type == "Sequence") {
    v.at("decoders").each_item([&](const JsonValue& each) {
      if (found == TokenText::as_written) found = token_text(each);
    });
  }
  return found;
}

}  // namespace limpid::text
