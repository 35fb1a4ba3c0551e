// A JSON object a line (.jsonl); objects in it are columns with a dot: {"translation": {"en": ...}} has
// translation.en.
#include <algorithm>

#include "core/json.h"
#include "core/label.h"
#include "core/number_text.h"
#include "data/table.h"

namespace limpid::data {

namespace {

// Calls f(name, value) for each value that is no object.
template <class F>
void each_value(const Json& object, const std::string& before, const F& f) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object())
      each_value(value, before + key + ".", f);
    else
      f(before + key, value);
  }
}

// A value as the text of a field, or why it is none ("is null").
bool as_field(const Json& value, std::string& field, std::string& fault) {
  if (value.is_string())
    field = value.get_ref<const std::string&>();
  else if (value.is_boolean())
    field = value.get<bool>() ? "true" : "false";
  else if (value.is_number_float())
    field = number_text(value.get<double>());
  else if (value.is_number())
    field = value.dump();
  else
    fault = join("is ", shown(value), ", expected text or a number");
  return fault.empty();
}

// The text that was read is one line of the file, whose number is given already.
std::string in_one_line(std::string message) {
  constexpr std::string_view k_place = "parse error at line 1, column";
  if (const size_t at = message.find(k_place); at != message.npos)
    message.replace(at, k_place.size(), "at column");
  return message;
}

class JsonLines final : public Table {
 public:
  explicit JsonLines(DataFile file) : Table(std::move(file)) {
    constexpr int64_t k_looked_at = 100;  // objects that may leave a key out
    SkippedRows ignored;
    int64_t seen = 0;
    each_object(ignored, [&](const Json& object, int64_t) {
      each_value(object, "", [&](const std::string& name, const Json&) {
        if (std::find(columns_.begin(), columns_.end(), name) == columns_.end()) columns_.push_back(name);
      });
      return ++seen < k_looked_at;
    });
    if (columns_.empty()) fail_without_rows(*this, ignored);
  }

  std::string written() const override { return "a JSON object a line"; }

  void each_row(const std::vector<size_t>& wanted, SkippedRows& skipped, const EachRow& each) const override {
    each_object(skipped, [&](const Json& object, int64_t line) {
      Fields fields(wanted.size());
      std::string fault;
      for (size_t i = 0; i < wanted.size() && fault.empty(); ++i) {
        const Json* value = find(object, columns_[wanted[i]]);
        if (!value)
          fault = " has no " + in_quotes(columns_[wanted[i]]);
        else if (std::string why; !as_field(*value, fields[i], why))
          fault = join(": ", in_quotes(columns_[wanted[i]]), " ", why);
      }
      if (fault.empty())
        each(fields, line);
      else
        skipped.add(line_name(line) + fault);
      return true;
    });
  }

 private:
  // "a.b": the key of that name, or b of the object a.
  static const Json* find(const Json& object, std::string_view name) {
    if (const auto at = object.find(std::string(name)); at != object.end()) return &*at;
    for (size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1))
      if (const auto at = object.find(std::string(name.substr(0, dot)));
          at != object.end() && at->is_object())
        if (const Json* value = find(*at, name.substr(dot + 1))) return value;
    return nullptr;
  }

  // Calls each(object, line) until it returns false.
  template <class Each>
  void each_object(SkippedRows& skipped, const Each& each) const {
    int64_t line = 0;
    for (const std::string_view text : lines_of(file_.content)) {
      ++line;
      if (trimmed(text).empty()) continue;
      Json object;
      try {
        if (const auto fault = fault_of_text(text)) fail_work(line_name(line), " ", *fault);
        object = parse_json(text, {line_name(line)});
        if (!object.is_object())
          fail_work(line_name(line), " is ", shown(object), ", expected a JSON object");
      } catch (const Error& error) {
        skipped.add(in_one_line(error.what()));
        continue;
      }
      if (!each(object, line)) return;
    }
  }
};

}  // namespace

std::unique_ptr<Table> open_json_lines(DataFile file) { return std::make_unique<JsonLines>(std::move(file)); }

}  // namespace limpid::data
