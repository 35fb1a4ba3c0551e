// Append: rows stand behind those that runs before have kept, so that a text that grows is not computed from
// its beginning again.  The room [B,S,G,D] is state: whoever runs the graph keeps it from run to run, with
// place for more rows than there are yet.  Rows past those written so far hold nothing; a causal mask hides
// them.
#include <cstring>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// Inputs the room, and the rows [B,T,G,D] that are written at the positions first_of(b) + t.
class Append final : public Operation {
 public:
  explicit Append(const Options&) {}
  std::string label() const override { return "Append"; }
  std::string equation() const override { return "y = rows kept, then x"; }
  std::string caption() const override {
    return "Puts the rows behind those that were kept of the text so far.";
  }
  bool is_view() const override { return true; }
  bool writes_in_place() const override { return true; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    const Shape &room = in[0], &rows = in[1];
    require_rank(room, 4, "the room", "[B,S,G,D]");
    require_rank(rows, 4, "the rows", "[B,T,G,D]");
    for (int i : {0, 2, 3})
      if (!fits(room[i].size, rows[i].size))
        fail_call("the room is ", room.text(), ", expected the sizes of the rows ", rows.text(), " but for ",
                  "their number");
    if (room[1].size >= 0 && rows[1].size >= 0 && rows[1].size > room[1].size)
      fail_call("the room is ", room.text(), ", which has no place for the rows ", rows.text());
    return {{"", room}};
  }

  void run(Inputs in, Outputs out, const RunContext& context) const override {
    for (int64_t b = 0; b < in[1].shape()[0].size; ++b) first_of(b, in, context);
    if (out[0].raw() != in[0].raw())
      std::memcpy(out[0].raw(), in[0].raw(), in[0].shape().count() * byte_size(in[0].dtype()));
    on_real(out[0], [&]<class R>() {
      const Shape& rows = in[1].shape();
      const auto x = in[1].as<R>();
      const auto y = out[0].as<R>();
      for (int64_t b = 0; b < rows[0].size; ++b)
        for (int64_t first = context.first_of(b), t = 0; t < rows[1].size; ++t)
          for (int64_t g = 0; g < rows[2].size; ++g)
            for (int64_t d = 0; d < rows[3].size; ++d) y(b, first + t, g, d) = x(b, t, g, d);
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    const int64_t t = out.index[1] - first_of(out.index[0], in, context);
    if (t < 0 || t >= in[1].shape()[1].size) return cell(in, 0, out.index);
    return cell(in, 1, with(out.index, 1, t));
  }

 private:
  static int64_t first_of(int64_t b, Inputs in, const RunContext& context) {
    const int64_t first = context.first_of(b), count = in[1].shape()[1].size, room = in[0].shape()[1].size;
    if (first < 0 || first > room - count)
      fail_call("append: ", count, " rows from position ", first, " on, but the room has ", room,
                " rows; give one with place for more");
    return first;
  }
};

}  // namespace

Stage append(const Scope& in, Stage room, Stage rows) {
  return in.graph->add(in, "append", {}, {room, rows});
}

void register_append(Registry& all) {
  const Shape room = {{Axis::B, 2}, {Axis::S, 5}, {Axis::G, 2}, {Axis::D, 3}};
  const Shape rows = {{Axis::B, 2}, {Axis::T, 3}, {Axis::G, 2}, {Axis::D, 3}};
  all.add<Append>("append", {{{}, {{room, DType::f32, -1, 1, false}, {rows, DType::f32, -1, 1, false}}}});
}

}  // namespace limpid
