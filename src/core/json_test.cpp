#include "core/json.h"

#include <gtest/gtest.h>

namespace limpid {
namespace {

const JsonSource k_source{"recipe", Error::Kind::call};

std::string refused(const std::string& text) {
  try {
    parse_json(text, k_source);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::call);
    return error.what();
  }
  return "read";
}

#define EXPECT_HAS(text, piece) EXPECT_NE((text).find(piece), std::string::npos) << (text)

TEST(Json, what_is_written_is_read_in_its_order) {
  const std::string text =
      R"({"b":[1,-2,2.5,true,null,"a\né"],"a":{"":{}},"c":[],"d":18446744073709551615,"e":[[],[{"x":0}]]})";
  EXPECT_EQ(parse_json(text, k_source).dump(), text);
  EXPECT_EQ(parse_json("\xef\xbb\xbf [1]", k_source).dump(), "[1]");  // a byte order mark
}

TEST(Json, what_is_no_json_is_placed) {
  EXPECT_HAS(refused(""), "recipe: it is not JSON: parse error at line 1");
  EXPECT_HAS(refused("{\"a\":1,\n \"b\":}"), "line 2, column 6");
  EXPECT_HAS(refused("{} {}"), "not JSON");
  EXPECT_HAS(refused("[1e999]"), "not JSON: number overflow");
  EXPECT_HAS(refused("\"\xff\""), "byte 1 is not UTF-8");
  EXPECT_HAS(refused("\"\xed\xa0\x80\""), "byte 1 is not UTF-8");
  EXPECT_HAS(refused(R"("\ud800")"), "not JSON");
  EXPECT_HAS(refused(std::string("[1]\0[", 5)), "byte 3 is zero");
  EXPECT_LT(refused("\"" + std::string(1 << 20, 'a')).size(), 400u);
}

TEST(Json, repeated_keys_are_refused_wherever_they_are) {
  EXPECT_HAS(refused(R"({"a":1,"b":2,"a":1})"), "recipe: the key a is given twice");
  EXPECT_HAS(refused(R"({"x":[0,{"y y":{"a":1,"a":{}}}]})"), R"(the key x[1]."y y".a is given twice)");
  EXPECT_EQ(refused(R"([{"a":{"a":1}},{"a":2}])"), "read");
}

TEST(Json, depth_is_limited_before_anything_is_built) {
  const auto nested = [](int depth, const std::string& open, const std::string& close) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += open;
    text += "1";
    for (int i = 0; i < depth; ++i) text += close;
    return text;
  };
  EXPECT_EQ(refused(nested(k_json_depth, "[", "]")), "read");
  EXPECT_HAS(refused(nested(k_json_depth + 1, "[", "]")), "nested more than 64 deep");
  EXPECT_HAS(refused(nested(150'000, "[", "]")), "nested more than 64 deep, at \"[0][0][0][0]\"");
  EXPECT_HAS(refused(nested(150'000, "{\"a\":", "}")), "nested more than 64 deep, at \"a.a.a.a\"");
  EXPECT_HAS(refused(std::string(10'000'000, '[')), "nested more than 64 deep");
}

TEST(Json, an_object_of_many_keys_takes_time_by_their_number) {
  std::string text = "{";
  for (int i = 0; i < 300'000; ++i) text += join(i ? "," : "", "\"k", i, "\":", i);
  EXPECT_EQ(parse_json(text + "}", k_source).size(), 300'000u);
}

std::string wrong(const std::string& text, const std::function<void(const JsonValue&)>& read) {
  const Json json = parse_json(text, k_source);
  try {
    read(JsonValue(json, k_source));
  } catch (const Error& error) {
    return error.what();
  }
  return "read";
}

std::string not_integer(const std::string& number) {
  return wrong(R"({"train":{"steps":)" + number + "}}",
               [](const JsonValue& json) { json.at("train").at("steps").integer(1, int64_t{1} << 53); });
}

TEST(Json, numbers_are_in_their_range_or_refused_with_their_path) {
  EXPECT_EQ(not_integer("1e300"),
            "recipe: train.steps is 1e+300, expected a whole number from 1 to 9007199254740992");
  for (const char* bad : {"0", "-1", "1.5", "9007199254740993", "18446744073709551615", "-1e300", "1e16",
                          "\"1\"", "null", "true", "[1]", "{}", "99999999999999999999999"})
    EXPECT_HAS(not_integer(bad), "recipe: train.steps is ") << bad;
  for (const char* good : {"1", "1000", "1e3", "9007199254740992", "2.0"})
    EXPECT_EQ(not_integer(good), "read");
  const auto any = [](const JsonValue& json) { json.integer(); };
  for (const char* good : {"9223372036854775807", "-9223372036854775808"})
    EXPECT_EQ(wrong(good, any), "read");
  EXPECT_HAS(wrong("9223372036854775808", any),
             "recipe: it is 9223372036854775808, expected a whole number of 64");
  const auto real = [](const JsonValue& json) { json.at(size_t{0}).real(); };
  EXPECT_EQ(wrong("[1e308]", real), "read");
  EXPECT_EQ(wrong("[\"nan\"]", real), "recipe: [0] is \"nan\", expected a number");
}

TEST(Json, every_other_kind_is_held_to_what_is_asked) {
  EXPECT_EQ(wrong("{}", [](const JsonValue& json) { json.at("a"); }), "recipe: it has no \"a\"");
  EXPECT_EQ(wrong("[]", [](const JsonValue& json) { json.at("a"); }),
            "recipe: it is a list, expected an object");
  EXPECT_EQ(wrong("{\"a\":[7]}", [](const JsonValue& json) { json.at("a").at(size_t{0}).text(); }),
            "recipe: a[0] is 7, expected a text");
  EXPECT_EQ(wrong("{\"a\":[7]}", [](const JsonValue& json) { json.at("a").at(size_t{1}); }),
            "recipe: a has 1 items, expected at least 2");
  EXPECT_EQ(wrong("1", [](const JsonValue& json) { json.boolean(); }),
            "recipe: it is 1, expected true or false");
  EXPECT_EQ(wrong("\"" + std::string(1000, 'a') + "\"", [](const JsonValue& json) { json.size(); }).size(),
            75u);
}

}  // namespace
}  // namespace limpid
