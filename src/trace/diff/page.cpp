// A diff for a terminal.
#include <algorithm>
#include <climits>
#include <cmath>

#include "core/label.h"
#include "core/number_text.h"
#include "core/width.h"
#include "limpid/diff.h"
#include "trace/explain_text.h"

namespace limpid {

namespace {

constexpr int k_rows_around = 4;  // of the table, before and after the first that parts

std::string six_digits(double value) {
  if (!std::isfinite(value)) return number_text(value);
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string two_digits(double value) {
  if (!std::isfinite(value)) return number_text(value);
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return value == 0 ? "0" : text;
}

// Words in lines of at most `columns`, the second and later ones indented.
std::string wrapped(const std::string& text, size_t columns, const std::string& indent = "") {
  std::string out, line;
  size_t at = 0;
  while (at < text.size()) {
    const size_t space = std::min(text.find(' ', at), text.size());
    std::string word = text.substr(at, space - at);
    at = space + 1;
    const size_t room = columns - indent.size();
    if (!line.empty() && display_width(line) + 1 + display_width(word) > columns) {
      out += line + "\n";
      line = indent;
    } else if (!line.empty() && line != indent) {
      line += " ";
    }
    for (; display_width(word) > room; out += line + "\n", line = indent) {  // a name longer than a line
      size_t end = room;
      while (end > 1 && (static_cast<unsigned char>(word[end]) & 0xc0) == 0x80) --end;
      if (line != indent && !line.empty()) out += line + "\n";
      line = (out.empty() ? "" : indent) + word.substr(0, end);
      word = word.substr(end);
    }
    line += word;
  }
  return line.empty() ? out : out + line + "\n";
}

class DiffPage {
 public:
  DiffPage(const Trace& a, const Diff& d, const PageOptions& options)
      : trace_(a), d_(d), options_(options), columns_(static_cast<size_t>(std::max(options.columns, 30))) {}

  std::string text() {
    table();
    if (d_.parts()) first();
    for (const Hypothesis& each : d_.hypotheses) hypothesis(each);
    for (const std::string& note : d_.notes) say("Note: " + visible_line(note), "      ");
    if (!d_.missing.empty()) say(listed("B lacks", d_.missing), "  ");
    if (!d_.unknown.empty()) say(listed("Only B has", d_.unknown), "  ");
    out_ += "\n";
    say(visible_line(d_.verdict), "");
    return out_;
  }

 private:
  void say(const std::string& text, const std::string& indent) { out_ += wrapped(text, columns_, indent); }

  static std::string listed(const std::string& what, const std::vector<std::string>& names) {
    constexpr size_t k_most = 6;
    std::string out = join(what, " ", names.size(), names.size() == 1 ? " value: " : " values: ");
    for (size_t i = 0; i < names.size() && i < k_most; ++i) out += (i ? ", " : "") + visible_line(names[i]);
    return names.size() > k_most ? out + ", ..." : out;
  }

  std::string state(const StageDifference& s) const {
    if (!s.comparable) return "shapes differ";
    return s.agrees ? "agrees" : "parts";
  }

  void row(const std::string& name, const std::string& largest, const std::string& where,
           const std::string& verdict) {
    const size_t narrow = columns_ < 70 ? 0 : 24;
    const size_t names = columns_ - 10 - narrow - 15;
    std::string line = pad_to_width(name, names) + " " + pad_to_width(largest, 8) + " ";
    if (narrow) line += pad_to_width(where, narrow) + " ";
    line += clip_to_width(verdict, columns_ - std::min(columns_, display_width(line)));
    while (line.ends_with(' ')) line.pop_back();
    out_ += clip_to_width(line, columns_) + "\n";
  }

  void table() {
    say(join("A beside ", d_.source.empty() ? "B" : visible(d_.source), ": ", d_.stages.size(),
             d_.stages.size() == 1 ? " value" : " values", " in the order of A's graph, tolerance ",
             number_text(d_.tolerance), "; the largest difference of each, and where it is"),
        "  ");
    out_ += "\n";
    row("stage", "largest", "where", "");
    int from = 0, to = static_cast<int>(d_.stages.size());
    const int most = std::max(options_.most_rows, 1);
    if (to > most && options_.most_rows != INT_MAX) {
      const int centre = d_.parts() ? d_.first : to - 1;
      from = std::max(0, centre - k_rows_around);
      to = std::min(to, from + std::max(most, k_rows_around + 2));
      from = std::max(0, std::min(from, to - most));
    }
    if (from > 0) out_ += join("  (", from, " before, which agree)\n");
    for (int i = from; i < to; ++i) {
      const StageDifference& s = d_.stages[static_cast<size_t>(i)];
      row((i == d_.first ? "> " : "  ") + visible_line(s.name), s.comparable ? two_digits(s.largest) : "-",
          s.comparable && s.largest > 0 ? places(s.shape, s.cell) : "", state(s));
    }
    if (to < static_cast<int>(d_.stages.size())) {
      int part = 0;
      for (size_t i = static_cast<size_t>(to); i < d_.stages.size(); ++i) part += !d_.stages[i].agrees;
      out_ += join("  (", d_.stages.size() - static_cast<size_t>(to), " after, of which ", part,
                   part == 1 ? " parts)\n" : " part)\n");
    }
    out_ += "\n";
  }

  void first() {
    const StageDifference& s = d_.stages[static_cast<size_t>(d_.first)];
    say(join("The first that parts: ", visible_line(s.name),
             s.other == s.name ? "" : join(" (B's ", visible_line(s.other), ")")),
        "  ");
    if (!s.comparable) {
      say(join("here ", s.shape.text(), ", there ", s.other_shape.text()), "  ");
      return;
    }
    int64_t cells = 1;
    for (const Dim& dim : s.shape) cells *= dim.size;
    say(join(s.beyond, " of ", cells, " numbers differ by more than the tolerance; the worst is ", s.name,
             places(s.shape, s.cell), ": ", six_digits(s.here), " here, ", six_digits(s.there), " there"),
        "  ");
    out_ += "\n";
    if (d_.explanation.empty()) return;
    PageOptions options = options_;
    options.columns = static_cast<int>(columns_);
    options.most_rows = std::min(options_.most_rows, 6);
    out_ += page(trace_, d_.explanation, options);
    if (!out_.ends_with("\n\n")) out_ += "\n";
  }

  void hypothesis(const Hypothesis& h) {
    if (h.reproduces)
      say(join("Gives B's numbers: ", visible_line(h.what), " (", visible_line(h.where), "), within ",
               two_digits(h.largest)),
          "  ");
    else
      say(join("Nearest of the variants: ", visible_line(h.what), " (", visible_line(h.where),
               "), which leaves ", two_digits(h.largest)),
          "  ");
  }

  const Trace& trace_;
  const Diff& d_;
  const PageOptions& options_;
  size_t columns_;
  std::string out_;
};

}  // namespace

std::string page(const Trace& a, const Diff& d, const PageOptions& options) {
  return DiffPage(a, d, options).text();
}

}  // namespace limpid
