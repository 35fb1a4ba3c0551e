#include "text/formats/document.h"

#include <cmath>

#include "core/label.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

Json scores_of(const std::vector<Piece>& pieces) {
  Json scores = Json::array();
  for (const Piece& piece : pieces) {
    scores.push_back(piece.type == PieceType::normal ? Json(piece.score) : Json());
  }
  return scores;
}

Json model_of(const std::vector<Piece>& pieces, const PieceOptions& options) {
  if (options.unigram) {
    Json vocabulary = Json::array();
    const Json scores = scores_of(pieces);
    for (size_t id = 0; id < pieces.size(); ++id) vocabulary.push_back({pieces[id].text, scores[id]});
    Json model = {{"type", "Unigram"},
                  {"unk_id", options.special.unk ? Json(*options.special.unk) : Json()},
                  {"vocab", std::move(vocabulary)},
                  {"byte_fallback", options.byte_fallback},
                  {"float", true}};
    if (options.least_score) model["least_score"] = *options.least_score;
    return model;
  }
  Json vocabulary = Json::array();
  for (const Piece& piece : pieces) vocabulary.push_back(piece.text);
  Json model = {{"type", "BPE"},
                {"vocab", std::move(vocabulary)},
                {"scores", scores_of(pieces)},
                {"fuse_unk", true},
                {"byte_fallback", options.byte_fallback}};
  if (options.special.unk) model["unk_token"] = pieces[static_cast<size_t>(*options.special.unk)].text;
  return model;
}

Json decoder_of(const PieceOptions& options) {
  Json stages = Json::array();
  stages.push_back({{"type", "Replace"}, {"pattern", {{"String", k_blank_mark}}}, {"content", " "}});
  if (options.byte_fallback) stages.push_back({{"type", "ByteFallback"}});
  stages.push_back({{"type", "Fuse"}});
  if (options.strips_first || options.strips_last) {
    stages.push_back({{"type", "Strip"},
                      {"content", " "},
                      {"start", options.strips_first ? 1 : 0},
                      {"stop", options.strips_last ? 1 : 0}});
  }
  return {{"type", "Sequence"}, {"decoders", std::move(stages)}};
}

}  // namespace

Json pieces_document(const std::vector<Piece>& pieces, const PieceOptions& options) {
  Json added = Json::array();
  for (size_t id = 0; id < pieces.size(); ++id) {
    const Piece& piece = pieces[id];
    if (!is_valid_utf8(piece.text))
      fail_work("piece ", id, " is ", in_quotes(piece.text), ", expected UTF-8");
    if (!std::isfinite(piece.score))
      fail_work("piece ", id, " has the score ", piece.score, ", expected a number");
    const bool special = piece.type == PieceType::control || piece.type == PieceType::unknown;
    if (piece.text.empty() || (!special && piece.type != PieceType::user_defined)) continue;
    Json token = added_token(piece.text, static_cast<int64_t>(id), special);
    if (!special && options.user_defined_verbatim) token["normalized"] = token["verbatim"] = true;
    added.push_back(std::move(token));
  }
  return {{"added_tokens", std::move(added)},
          {"normalizer", options.normalizer},
          {"post_processor", around_template(options.add_bos ? options.special.bos : std::nullopt,
                                             options.add_eos ? options.special.eos : std::nullopt)},
          {"decoder", decoder_of(options)},
          {"model", model_of(pieces, options)}};
}

Json sentencepiece_normalizer_json(bool add_dummy_prefix, bool remove_extra_whitespaces) {
  return {{"type", "SentencePiece"},
          {"add_dummy_prefix", add_dummy_prefix},
          {"remove_extra_whitespaces", remove_extra_whitespaces}};
}

Json byte_level_json(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"use_regex", use_regex},
          {"trim_offsets", false}};
}

Json byte_level_cuts(const std::vector<std::string>& expressions) {
  Json stages = Json::array();
  for (const std::string& each : expressions) {
    stages.push_back({{"type", "Split"}, {"pattern", {{"Regex", each}}}, {"behavior", "Isolated"}});
  }
  stages.push_back(byte_level_json(false, false));
  return {{"type", "Sequence"}, {"pretokenizers", std::move(stages)}};
}

Json added_token(std::string_view content, int64_t id, bool special, bool normalized) {
  return {{"id", id}, {"content", std::string(content)}, {"special", special}, {"normalized", normalized}};
}

namespace {

Json sequence(const char* name, int type) { return {{"Sequence", {{"id", name}, {"type_id", type}}}}; }

class TemplateWriter {
 public:
  void token(Json& list, int64_t id, int type) {
    const std::string name = std::to_string(id);
    list.push_back({{"SpecialToken", {{"id", name}, {"type_id", type}}}});
    tokens_[name] = {{"id", name}, {"ids", Json::array({id})}};
  }
  Json done(Json single, Json pair) {
    return {{"type", "TemplateProcessing"},
            {"single", std::move(single)},
            {"pair", std::move(pair)},
            {"special_tokens", std::move(tokens_)}};
  }

 private:
  Json tokens_ = Json::object();
};

}  // namespace

Json around_template(std::optional<int64_t> before, std::optional<int64_t> after) {
  if (!before && !after) return Json();
  TemplateWriter made;
  Json single = Json::array(), pair = Json::array();
  for (const bool two : {false, true}) {
    Json& list = two ? pair : single;
    for (const int text : {0, 1}) {
      if (text == 1 && !two) continue;
      if (before) made.token(list, *before, text);
      list.push_back(sequence(text == 0 ? "A" : "B", text));
      if (after) made.token(list, *after, text);
    }
  }
  return made.done(std::move(single), std::move(pair));
}

Json bert_template(int64_t cls, int64_t sep) {
  TemplateWriter made;
  Json single = Json::array();
  made.token(single, cls, 0);
  single.push_back(sequence("A", 0));
  made.token(single, sep, 0);
  Json pair = single;
  pair.push_back(sequence("B", 1));
  made.token(pair, sep, 1);
  return made.done(std::move(single), std::move(pair));
}

}  // namespace limpid::text
