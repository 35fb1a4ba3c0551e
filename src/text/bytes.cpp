// The bytes kind: id = byte.
#include "limpid/text.h"

namespace limpid {
namespace {

class Bytes final : public Tokenizer {
 public:
  std::string kind() const override { return "bytes"; }
  int64_t vocabulary() const override { return 256; }
  std::string to_json() const override { return R"({"kind":"bytes"})"; }

 private:
  void append(std::string_view text, Specials, Encoding& out) const override {
    out.ids.reserve(text.size());
    out.spans.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
      out.ids.push_back(static_cast<unsigned char>(text[i]));
      out.spans.push_back({i, i + 1});
    }
  }
  std::string bytes_of(int64_t id) const override { return std::string(1, static_cast<char>(id)); }
};

}  // namespace

std::unique_ptr<Tokenizer> byte_tokenizer() { return std::make_unique<Bytes>(); }

}  // namespace limpid
