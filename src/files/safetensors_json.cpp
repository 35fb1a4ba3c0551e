#include <set>

#include "core/json.h"
#include "core/label.h"
#include "files/float8.h"
#include "files/safetensors_header.h"

namespace limpid {

namespace {

using nlohmann::json;

struct TypeName {
  DType dtype;
  std::string_view name;
};
constexpr TypeName k_types[] = {
    {DType::f64, "F64"}, {DType::f32, "F32"}, {DType::bf16, "BF16"}, {DType::f16, "F16"},
    {DType::i64, "I64"}, {DType::i32, "I32"}, {DType::i16, "I16"},   {DType::i8, "I8"},
    {DType::u8, "U8"},   {DType::u16, "U16"}, {DType::u32, "U32"},   {DType::boolean, "BOOL"},
};

// Follows the JSON as it streams by.  A parsed document would not do: of two equal keys it keeps one.
class HeaderParser : public nlohmann::json_sax<json> {
 public:
  explicit HeaderParser(const std::string& file) : file_(file) {}
  SafetensorsInfo take() { return std::move(info_); }

  bool null() override { return at_ == At::metadata_value ? leave_value() : scalar("null"); }
  bool boolean(bool) override { return scalar("true or false"); }
  bool number_integer(number_integer_t value) override { return scalar(join(value)); }  // negative
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t, const string_t& text) override { return scalar(text); }
  bool string(string_t& value) override;
  bool binary(binary_t&) override { return false; }  // JSON has none
  bool start_object(size_t) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string&, const json::exception& e) override {
    std::string_view reason =
        e.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    for (std::string_view before : {"] ", ": "})
      if (const size_t at = reason.find(before); at != reason.npos) reason.remove_prefix(at + before.size());
    fail("header is not JSON, at byte ", position, " of it: ", visible_line(reason.substr(0, 200)));
  }

 private:
  enum class At {
    start,
    top,
    metadata_value,
    metadata,
    tensor_value,
    tensor,
    dtype,
    shape,
    offsets,
    shape_list,
    offsets_list,
    ignored,
    end
  };

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    fail_work(file_, ": ", parts...);
  }
  std::string where() const;
  std::string shown_name() const { return visible_line(std::string_view(entry_.name).substr(0, 200)); }
  bool scalar(const std::string& what);
  bool leave_value();  // after a value: back to where its key stood
  bool enter_ignored() {
    if (++ignored_depth_ > k_json_depth)
      fail(where(), " has a field nested more than ", k_json_depth, " deep");
    return true;
  }
  void finish_tensor();

  const std::string& file_;
  SafetensorsInfo info_;
  At at_ = At::start;
  int ignored_depth_ = 0;  // inside the value of a field that the format does not define
  std::set<std::string, std::less<>> names_;
  std::string key_;               // of the metadata
  std::set<std::string> fields_;  // of the present tensor
  SafetensorsInfo::Entry entry_;
  std::vector<uint64_t> offsets_;
};

std::string HeaderParser::where() const {
  switch (at_) {
    case At::start:
    case At::end:
    case At::top:
      return "the header";
    case At::metadata_value:
      return "__metadata__";
    case At::metadata:
      return "__metadata__ '" + visible_line(std::string_view(key_).substr(0, 200)) + "'";
    case At::tensor_value:
    case At::ignored:
    case At::tensor:
      return "tensor '" + shown_name() + "'";
    case At::dtype:
      return "tensor '" + shown_name() + "': dtype";
    case At::shape:
    case At::shape_list:
      return "tensor '" + shown_name() + "': shape";
    case At::offsets:
    case At::offsets_list:
      return "tensor '" + shown_name() + "': data_offsets";
  }
  return "the header";
}

// A value where the format wants another kind of value.
bool HeaderParser::scalar(const std::string& what) {
  if (at_ == At::ignored) return leave_value();
  switch (at_) {
    case At::metadata:
      fail(where(), " is ", what, ", expected text");
    case At::dtype:
      fail(where(), " is ", what, ", expected a name such as \"F32\"");
    case At::shape:
      fail(where(), " is ", what, ", expected a list of sizes");
    case At::offsets:
      fail(where(), " is ", what, ", expected [begin, end]");
    case At::shape_list:
    case At::offsets_list:
      fail(where(), " holds ", what, ", expected whole numbers from 0 up");
    default:
      fail(where(), " is ", what, ", expected {...}");
  }
}

bool HeaderParser::leave_value() {
  switch (at_) {
    case At::metadata_value:
    case At::tensor_value:
      at_ = At::top;
      break;
    case At::dtype:
    case At::shape_list:
    case At::offsets_list:
      at_ = At::tensor;
      break;
    case At::ignored:
      if (ignored_depth_ == 0) at_ = At::tensor;
      break;
    default:
      break;
  }
  return true;
}

bool HeaderParser::number_unsigned(number_unsigned_t value) {
  if (at_ == At::offsets_list) {
    if (offsets_.size() == 2) fail(where(), " holds more than 2 numbers, expected [begin, end]");
    offsets_.push_back(value);
    return true;
  }
  if (at_ != At::shape_list) return scalar(join(value));
  if (value > INT64_MAX) fail(where(), " overflows: size ", value, " is more than any memory holds");
  if (entry_.shape.rank() == k_max_rank) fail(where(), " has more than ", k_max_rank, " axes");
  entry_.shape.append({Axis::none, static_cast<int64_t>(value)});
  return true;
}

bool HeaderParser::string(string_t& value) {
  if (at_ == At::metadata) {
    info_.metadata[key_] = value;
    return true;
  }
  if (at_ != At::dtype) return scalar(in_quotes(value));
  for (const TypeName& type : k_types)
    if (type.name == value) {
      entry_.dtype = type.dtype;
      return leave_value();
    }
  if (float8_named(value) && !value.starts_with("float")) {  // PyTorch's names are none of this format
    entry_.dtype = DType::bf16;
    entry_.stored = value;
    return leave_value();
  }
  entry_.unreadable = value.empty() ? "\"\"" : value;
  return leave_value();
}

bool HeaderParser::start_object(size_t) {
  switch (at_) {
    case At::start:
      at_ = At::top;
      return true;
    case At::metadata_value:
      at_ = At::metadata;
      return true;
    case At::tensor_value:
      at_ = At::tensor;
      return true;
    case At::ignored:
      return enter_ignored();
    default:
      return scalar("{...}");
  }
}

bool HeaderParser::start_array(size_t) {
  switch (at_) {
    case At::shape:
      at_ = At::shape_list;
      return true;
    case At::offsets:
      at_ = At::offsets_list;
      return true;
    case At::ignored:
      return enter_ignored();
    default:
      return scalar("[...]");
  }
}

bool HeaderParser::end_array() {
  if (at_ == At::ignored) --ignored_depth_;
  if (at_ == At::offsets_list && offsets_.size() != 2)
    fail(where(), " holds ", offsets_.size(), " numbers, expected [begin, end]");
  return leave_value();
}

bool HeaderParser::key(string_t& name) {
  if (at_ == At::ignored) return true;
  if (at_ == At::metadata) {
    key_ = name;
    if (info_.metadata.count(name)) fail(where(), " is given twice");
    info_.metadata[name];
    return true;
  }
  if (at_ == At::top) {
    const bool metadata = name == k_safetensors_metadata;
    at_ = metadata ? At::metadata_value : At::tensor_value;
    entry_ = {};
    entry_.name = name;
    fields_.clear();
    offsets_.clear();
    if (!names_.insert(name).second) fail(where(), " is given twice");
    return true;
  }
  if (!fields_.insert(name).second) fail(where(), ": ", name, " is given twice");
  at_ = name == "dtype"          ? At::dtype
        : name == "shape"        ? At::shape
        : name == "data_offsets" ? At::offsets
                                 : At::ignored;
  return true;
}

bool HeaderParser::end_object() {
  switch (at_) {
    case At::ignored:
      --ignored_depth_;
      return leave_value();
    case At::tensor:
      finish_tensor();
      [[fallthrough]];
    case At::metadata:
      at_ = At::top;
      return true;
    default:
      at_ = At::end;
      return true;
  }
}

void HeaderParser::finish_tensor() {
  for (const char* field : {"dtype", "shape", "data_offsets"})
    if (!fields_.count(field)) fail(where(), " has no ", field);
  if (offsets_[1] < offsets_[0])
    fail(where(), ": data_offsets [", offsets_[0], ", ", offsets_[1], "] end before they begin");
  entry_.offset = offsets_[0];
  entry_.bytes = offsets_[1] - offsets_[0];
  info_.entries.push_back(std::move(entry_));
}

}  // namespace

std::string unsupported_type(std::string_view type) {
  std::string known;
  for (const TypeName& each : k_types) known += (known.empty() ? "" : ", ") + std::string(each.name);
  return join("dtype ", type, " is not supported, expected one of ", known, ", F8_E4M3, F8_E5M2");
}

std::string_view safetensors_name(DType dtype) {
  for (const TypeName& type : k_types)
    if (type.dtype == dtype) return type.name;
  fail_call("safetensors: dtype ", static_cast<int>(dtype), " does not exist");
}

SafetensorsInfo parse_safetensors_json(std::string_view text, const std::string& file) {
  HeaderParser parser(file);
  json::sax_parse(text, &parser);
  return parser.take();
}

}  // namespace limpid
