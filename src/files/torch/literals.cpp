#include "files/torch/literals.h"

#include <charconv>

#include "core/label.h"

namespace limpid::torch {

Ref add_long(Objects& objects, std::string_view digits) {
  if (digits.ends_with('L')) digits.remove_suffix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc() && end == digits.data() + digits.size()) return objects.add(Kind::integer, value);
  const size_t sign = digits.starts_with('-') ? 1 : 0;
  if (digits.size() == sign || digits.find_first_not_of("0123456789", sign) != digits.npos)
    objects.fail("an integer is written ", in_quotes(digits));
  return objects.add_text(Kind::word, digits);
}

Ref add_quoted(Objects& objects, std::string_view written) {
  if (written.size() < 2 || written.front() != written.back() || (written[0] != '\'' && written[0] != '"') ||
      written.find('\\') != written.npos)
    objects.fail("a text is written ", in_quotes(written), ", expected it in quotes and without escapes");
  return objects.add_text(Kind::text, written.substr(1, written.size() - 2));
}

Ref add_escaped(Objects& objects, std::string_view written) {
  std::string out;
  const auto put = [&](uint32_t point) {
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
      objects.fail("a text with a character that is none");
    if (point < 0x80) return void(out += static_cast<char>(point));
    const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    constexpr uint32_t k_lead[] = {0, 0xc0, 0xe0, 0xf0};
    out += static_cast<char>(k_lead[more] | point >> (6 * more));
    for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | (point >> (6 * i) & 0x3f));
  };
  for (size_t i = 0; i < written.size(); ++i) {
    const size_t digits = written[i] != '\\' || i + 1 == written.size() ? 0
                          : written[i + 1] == 'u'                       ? 4
                          : written[i + 1] == 'U'                       ? 8
                                                                        : 0;
    if (digits == 0) {
      put(static_cast<unsigned char>(written[i]));
      continue;
    }
    const std::string_view code = written.substr(std::min(i + 2, written.size()), digits);
    uint32_t point = 0;
    const auto [end, error] = std::from_chars(code.data(), code.data() + code.size(), point, 16);
    if (code.size() != digits || error != std::errc() || end != code.data() + digits)
      objects.fail("a text is written ", in_quotes(written));
    put(point);
    i += 1 + digits;
  }
  return objects.add_made(Kind::text, std::move(out));
}

}  // namespace limpid::torch
