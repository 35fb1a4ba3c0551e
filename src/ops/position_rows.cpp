// Position rows: of a table with a row for every distance between two tokens, those that a text of this
// length can ask for (DeBERTa, He 2020, 3.1).  The table itself has hundreds; a text of ten tokens reads
// nineteen.
#include <algorithm>
#include <cmath>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class PositionRowsBase : public Operation {
 public:
  explicit PositionRowsBase(const Options& options) : buckets_(position_buckets(options)) {}

 protected:
  // The rows of a text as long as x: how many there are, or symbolic.
  int64_t count(const Shape& x, const Shape& table) const {
    const int axis = require_axis(x, Axis::T, "x");
    require_rank(table, 2, "the table", "[N,C]");
    if (!fits(table[0].size, 2 * buckets_.span))
      fail_call("the table is ", table.text(), ", expected [N=", 2 * buckets_.span, ",C]: twice the span");
    return position_row_count(x[axis].size, buckets_);
  }

  int64_t first(const Shape& x) const {
    return position_row(1 - x.size(Axis::T), buckets_);  // of the last key that the first query sees
  }

  PositionBuckets buckets_;
};

class PositionRows final : public PositionRowsBase {
 public:
  using PositionRowsBase::PositionRowsBase;
  std::string label() const override { return "Relative Positions"; }
  std::string equation() const override { return "r[n] = table[first + n], first = row(1 - T)"; }
  std::string caption() const override {
    return "Every distance between two tokens has a learned vector; these are the ones this text needs.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    const int64_t rows = count(in[0], in[1]);
    return {{"", {{Axis::N, rows}, in[1][1]}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t width = in[1].shape()[1].size;
      if (out[0].shape().count() == 0) return;
      const R* from = in[1].data<R>() + first(in[0].shape()) * width;
      std::copy_n(from, out[0].shape().count(), out[0].data<R>());
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(1)) g.give(1, g.apply("position_rows_gradient", options(), {g.grad(), g.in(0), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return cell(in, 1, {first(in[0].shape()) + out.index[0], out.index[1]});
  }
};

// dtable[first + n] = dr[n], 0 elsewhere.  Inputs dr, x for its length, and the table for its shape.
class PositionRowsGradient final : public PositionRowsBase {
 public:
  using PositionRowsBase::PositionRowsBase;
  std::string label() const override { return "Relative Positions Gradient"; }
  std::string equation() const override { return "dtable[first + n] = dr[n], 0 elsewhere"; }
  std::string caption() const override {
    return "The rows that this text needed learn; all others stay as they are.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    const Shape expected = {{Axis::N, count(in[1], in[2])}, in[2][1]};
    if (!fit(in[0], expected)) fail_call("the gradient is ", in[0].text(), ", expected ", expected.text());
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t width = in[2].shape()[1].size;
      std::fill_n(out[0].data<R>(), out[0].shape().count(), R(0));
      if (in[0].shape().count() == 0) return;
      std::copy_n(in[0].data<R>(), in[0].shape().count(), out[0].data<R>() + first(in[1].shape()) * width);
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t row = out.index[0] - first(in[1].shape());
    if (row < 0 || row >= in[0].shape()[0].size) return Expr(0);
    return cell(in, 0, {row, out.index[1]});
  }
};

// As DeBERTa-v2 computes it, in float, so that a distance at the edge of a bucket falls on the same side: up
// to half the buckets a distance has one to itself, beyond they grow with its logarithm.
int64_t bucket_of(int64_t behind, int64_t buckets, int64_t max_distance) {
  const int64_t half = buckets / 2, distance = std::abs(behind);
  if (distance <= half) return behind;
  const auto log_of = [&](double of) { return std::log(static_cast<float>(of / static_cast<double>(half))); };
  const float step = std::ceil(log_of(static_cast<double>(distance)) /
                               log_of(static_cast<double>(max_distance - 1)) * static_cast<float>(half - 1));
  const int64_t bucket = static_cast<int64_t>(step) + half;
  return behind < 0 ? -bucket : bucket;
}

}  // namespace

int64_t position_row(int64_t behind, const PositionBuckets& o) {
  const int64_t bucket = o.buckets > 0 ? bucket_of(behind, o.buckets, o.max_distance) : behind;
  return std::clamp<int64_t>(bucket, -o.span, o.span - 1) + o.span;
}

int64_t position_row_count(int64_t tokens, const PositionBuckets& o) {
  if (tokens < 0) return k_symbolic;
  return tokens == 0 ? 0 : position_row(tokens - 1, o) - position_row(1 - tokens, o) + 1;
}

Options options_of(const PositionBuckets& o) {
  return {{"span", o.span}, {"buckets", o.buckets}, {"max_distance", o.max_distance}};
}

PositionBuckets position_buckets(const Options& options) {
  constexpr int64_t k_most = 1 << 24;
  const PositionBuckets o = {options.integer("span", 1), options.integer("buckets"),
                             options.integer("max_distance", 1)};
  if (o.span < 1 || o.span > k_most)
    fail_call("span is ", o.span, ", expected 1 to ", k_most, ", half the rows of the table");
  if (o.buckets < 0 || o.buckets == 1 || o.buckets > k_most)
    fail_call("buckets is ", o.buckets, ", expected 2 to ", k_most, ", or 0 for none");
  if (o.buckets > 0 && (o.max_distance - 1 <= o.buckets / 2 || o.max_distance > k_most))
    fail_call("max_distance is ", o.max_distance, ", expected ", o.buckets / 2 + 2, " to ", k_most, ": ",
              o.buckets, " buckets count ", o.buckets / 2, " exactly");
  return o;
}

Stage position_rows(const Scope& in, Stage x, Stage table, const PositionBuckets& o) {
  return in.graph->add(in, "position_rows", options_of(o), {x, table});
}

void register_position_rows(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 4}, {Axis::C, 3}}, table = {{Axis::N, 20}, {Axis::C, 3}};
  const Shape long_x = {{Axis::B, 1}, {Axis::T, 30}, {Axis::C, 3}}, narrow = {{Axis::N, 12}, {Axis::C, 3}};
  const Shape token = {{Axis::B, 1}, {Axis::T, 1}, {Axis::C, 3}};
  const Options plain = options_of({10, 0, 1}), buckets = options_of({6, 6, 16});
  const Example::Input for_size = {x, DType::f32, -1, 1, false},
                       long_size = {long_x, DType::f32, -1, 1, false},
                       one = {token, DType::f32, -1, 1, false};
  all.add<PositionRows>(
      "position_rows",
      {{plain, {for_size, {table}}}, {buckets, {long_size, {narrow}}}, {plain, {one, {table}}}});
  all.add<PositionRowsGradient>("position_rows_gradient",
                                {{plain, {{{{Axis::N, 7}, {Axis::C, 3}}}, for_size, {table}}}});
}

}  // namespace limpid
