// The lens for a terminal and for programs.
#include <algorithm>
#include <cmath>

#include "core/json.h"
#include "core/label.h"
#include "core/number_text.h"
#include "core/width.h"
#include "limpid/lens.h"

namespace limpid {

namespace {

std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string right(const std::string& text, size_t columns) {
  const size_t width = display_width(text);
  return width < columns ? std::string(columns - width, ' ') + text : text;
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(number_text(value)); }

}  // namespace

std::string page(const Lens& lens, const PageOptions& options) {
  const auto columns = static_cast<size_t>(std::max(options.columns, 30));
  const size_t names = columns < 60 ? columns - 20 : 24;
  std::string out;
  const auto line = [&](std::string text) {
    while (text.ends_with(' ')) text.pop_back();
    out += clip_to_width(text, columns) + "\n";
  };
  const std::string word = visible_line(lens.target_label);
  line(join("After ", visible_line(lens.tokens[static_cast<size_t>(lens.position)]), " (position ",
            lens.position, "): ", word, " (token ", lens.target, ")"));
  out += "\n";
  line("If the network stopped there: p and rank (0: the likeliest) of that token,");
  line("and the likeliest token with its p:");
  line(pad_to_width("residual stream", names) + right("p", 8) + "  rank  likeliest");
  for (const LensLayer& layer : lens.layers)
    line(pad_to_width(layer.name, names) + right(fixed(layer.probability, options.decimals), 8) +
         right(std::to_string(layer.rank), 6) + "  " + visible_line(layer.likeliest_label) + " " +
         fixed(layer.likeliest_probability, options.decimals));
  out += "\n";
  line(join("What adds up to its logit", lens.softcap != 0 ? " before the soft cap" : "", ":"));
  double rest = 0;
  const size_t shown = std::min(lens.parts.size(), static_cast<size_t>(std::max(options.most_rows, 1)));
  for (size_t i = 0; i < lens.parts.size(); ++i) {
    if (i < shown)
      line("  " + pad_to_width(lens.parts[i].name, names) +
           right(fixed(lens.parts[i].logit, options.decimals), 10));
    else
      rest += lens.parts[i].logit;
  }
  if (shown < lens.parts.size())
    line("  " + pad_to_width(join("the rest, ", lens.parts.size() - shown, " parts"), names) +
         right(fixed(rest, options.decimals), 10));
  line("  " + pad_to_width("logit", names) + right(fixed(lens.sum, options.decimals), 10));
  return out;
}

std::string to_json(const Lens& lens) {
  Json out = {{"tokens", Json::array()},
              {"position", lens.position},
              {"target", lens.target},
              {"target_label", visible_line(lens.target_label)},
              {"probability", number(lens.probability)},
              {"logit", number(lens.logit)},
              {"sum", number(lens.sum)},
              {"softcap", lens.softcap}};
  for (const std::string& label : lens.tokens) out["tokens"].push_back(visible_line(label));
  for (const LensLayer& layer : lens.layers)
    out["layers"].push_back({{"name", layer.name},
                             {"likeliest", layer.likeliest},
                             {"likeliest_label", visible_line(layer.likeliest_label)},
                             {"likeliest_probability", number(layer.likeliest_probability)},
                             {"logit", number(layer.logit)},
                             {"probability", number(layer.probability)},
                             {"rank", layer.rank}});
  for (const LensPart& part : lens.parts)
    out["parts"].push_back({{"name", part.name}, {"logit", number(part.logit)}});
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace limpid
