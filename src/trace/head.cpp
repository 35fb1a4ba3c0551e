#include "trace/head.h"

#include <algorithm>

#include "core/label.h"

namespace limpid {

const StageInfo& maker(const Reading& reading, int value) {
  return reading.graph().stage(reading.graph().value(value).stage);
}

namespace {

int require_value(const Reading& reading, int64_t layer, const std::string& name) {
  const int id = reading.in_layer(layer, name);
  if (id < 0 || reading.graph().value(id).stage < 0)
    fail_call("token: layer ", layer, " of this network has no ", name,
              ", so there is no attention to follow");
  return id;
}

void require_numbers(const Reading& reading, int value) {
  if (reading.rows(value)) return;
  const std::string name = visible_line(reading.graph().value(value).name);
  fail_call("token: the trace does not hold '", name,
            "', which this page needs; observe it in full (--observe ", name, ")");
}

// The page reads cells of several values by one head, query and key: their sizes must agree.
void require_heads(const Reading& reading, const Head& head, int raw) {
  // Of the whole value, where only some rows were kept.
  const auto shape_of = [&](int value) {
    const Rows& rows = *reading.rows(value);
    Shape shape = rows.numbers.shape();
    if (const int t = shape.find(Axis::T); t >= 0) shape[t].size = rows.length;
    return shape;
  };
  const auto require = [&](int value, std::optional<int64_t> a, std::optional<int64_t> b,
                           std::optional<int64_t> c) {
    const Shape shape = shape_of(value);
    const auto is = [](int64_t size, std::optional<int64_t> expected) {
      return !expected || size == *expected;
    };
    if (shape.rank() != 3 || !is(shape[0].size, a) || !is(shape[1].size, b) || !is(shape[2].size, c))
      fail_call("token: layer ", head.layer, " is not made of heads: '",
                visible_line(reading.graph().value(value).name), "' is ", visible_line(shape.text()));
  };
  require(head.q, {}, {}, {});
  require(head.k, {}, {}, {});
  require(head.v, {}, {}, {});
  const Shape q = shape_of(head.q), k = shape_of(head.k), v = shape_of(head.v);
  const int64_t queries = q[0].size, heads = q[1].size, keys = k[0].size, groups = k[1].size;
  require(head.k, {}, {}, q[2].size);
  require(head.v, keys, groups, {});
  require(head.z, queries, heads, v[2].size);
  for (int value : {raw, head.pattern, head.mixed}) require(value, heads, queries, keys);
  for (int value : head.scores) require(value, heads, queries, keys);
}

}  // namespace

Head head_of(const Reading& reading, int layer, int head) {
  Head out;
  out.layer = layer;
  out.head = head;
  const int raw = require_value(reading, layer, "attn.raw_scores");
  out.pattern = require_value(reading, layer, "attn.pattern");
  out.z = require_value(reading, layer, "attn.z");
  const std::vector<int>&qk = maker(reading, raw).inputs, &pv = maker(reading, out.z).inputs;
  if (qk.size() < 2 || pv.size() < 2)
    fail_call("token: layer ", layer, " is not made of queries, keys and values");
  out.q = qk[0];
  out.k = qk[1];
  out.mixed = reading.rows(pv[0]) ? pv[0] : out.pattern;
  out.v = pv[1];
  for (int at = out.pattern; at != raw && reading.graph().value(at).stage >= 0;) {
    const std::vector<int>& inputs = maker(reading, at).inputs;
    if (inputs.empty()) break;
    at = inputs[0];
    if (reading.rows(at)) out.scores.insert(out.scores.begin(), at);
  }
  for (int value : {out.q, out.k, raw, out.pattern, out.v, out.z}) require_numbers(reading, value);
  require_heads(reading, out, raw);
  out.key_head =
      head / std::max<int64_t>(1, reading.heads(layer) / reading.rows(out.k)->numbers.shape()[1].size);
  return out;
}

}  // namespace limpid
