// Pool: one row stands for the whole sequence: its first, its last, the mean of all or of all but the first,
// or the first with that mean behind it.  With `documents` several sequences stand one behind another in one.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// How many rows of sequence b count.
int64_t length_at(const ConstView& lengths, int64_t b, int64_t rows) {
  const int64_t length = lengths.data<int64_t>()[b];
  if (length < 1 || length > rows)
    fail_call("lengths[", b, "] is ", length, ", expected 1 to ", rows, ", the rows there are");
  return length;
}

constexpr const char* k_words[] = {"first", "mean", "last", "rest", "first_and_rest"};  // as Pool counts

class PoolBase : public Operation {
 public:
  explicit PoolBase(const Options& options) : documents_(options.flag("documents")) {
    const std::string pick = options.word("pick", "mean");
    for (size_t i = 0; i < std::size(k_words); ++i)
      if (pick == k_words[i]) {
        pick_ = static_cast<Pool>(i);
        return;
      }
    fail_call("pick is '", pick, "', expected 'first', 'mean', 'last', 'rest' or 'first_and_rest'");
  }

 protected:
  void require_sequences(const std::vector<Shape>& in, const Shape& x, size_t lengths) const {
    require_rank(x, 3, "x", "[B,T,C]");
    if (documents_) {
      require_inputs(in, lengths + 1, lengths + 1);
      if (in[lengths].rank() != 1 || !fits(x[0].size, 1))
        fail_call("x is ", x.text(), " and lengths ", in[lengths].text(),
                  ", expected one row of documents, [1,T,C], and the lengths [B] of these");
      return;
    }
    if (in.size() > lengths && !fit(in[lengths], x.part(0, 1)))
      fail_call("lengths is ", in[lengths].text(), ", expected ", x.part(0, 1).text());
  }

  // The rows of sequence b that are read, first and one past the last.
  struct Rows {
    int64_t first = 0, end = 0;
    int64_t count() const { return end - first; }
  };
  // `part` of the result: 1 is what stands behind the first row.
  Rows rows(Inputs in, size_t lengths, int64_t b, int64_t all, int64_t part = 0) const {
    int64_t first = 0;
    for (int64_t i = 0; documents_ && i < b; ++i) first += length_at(in[lengths], i, all);
    const int64_t length = in.size() > lengths ? length_at(in[lengths], b, all - first) : all;
    if (pick_ == Pool::first || (pick_ == Pool::first_and_rest && part == 0)) return {first, first + 1};
    const bool rest = pick_ == Pool::rest || pick_ == Pool::first_and_rest;
    if (rest && length < 2) fail_call("a sequence has one row, expected at least one behind the first");
    return {first + (pick_ == Pool::last ? length - 1 : rest ? 1 : 0), first + length};
  }
  // Which sequence of x holds the rows of result b.
  int64_t sequence(int64_t b) const { return documents_ ? 0 : b; }
  int64_t parts() const { return pick_ == Pool::first_and_rest ? 2 : 1; }
  Dim pooled(Dim width) const {
    if (width.size != k_symbolic) width.size *= parts();
    return width;
  }

  Pool pick_ = Pool::mean;
  bool documents_;
};

// Inputs x, and lengths if rows from some place on are padding.
class Pooling final : public PoolBase {
 public:
  using PoolBase::PoolBase;
  std::string label() const override {
    static constexpr const char* k_labels[] = {"First Row", "Mean of Rows", "Last Row", "Mean of the Rest",
                                               "First Row and Mean of the Rest"};
    return k_labels[static_cast<size_t>(pick_)];
  }
  std::string equation() const override {
    static constexpr const char* k_equations[] = {"y = x[0]", "y = 1/T sum over t of x[t]", "y = x[T - 1]",
                                                  "y = 1/(T - 1) sum over t > 0 of x[t]",
                                                  "y = x[0], then 1/(T - 1) sum over t > 0 of x[t]"};
    return k_equations[static_cast<size_t>(pick_)];
  }
  std::string caption() const override {
    if (pick_ == Pool::rest) return "Averages all rows but the first into one.";
    if (pick_ == Pool::first_and_rest) return "Puts the average of all other rows behind the first.";
    return pick_ == Pool::mean ? "Averages all words of a sentence into one row."
                               : "Lets one word's row stand for the whole sentence.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 2);
    require_sequences(in, in[0], 1);
    if (in[0][1].size == 0) fail_call("x is ", in[0].text(), ", expected at least one row a sequence");
    return {{"", Shape{documents_ ? in[1][0] : in[0][0], pooled(in[0][2])}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto x = in[0].as<R>();
      const auto y = out[0].as<R>();
      for (int64_t b = 0; b < out[0].shape()[0].size; ++b) {
        const int64_t width = in[0].shape()[2].size;
        for (int64_t part = 0; part < parts(); ++part) {
          const Rows read = rows(in, 1, b, in[0].shape()[1].size, part);
          for (int64_t c = 0; c < width; ++c) {
            double sum = 0;
            for (int64_t t = read.first; t < read.end; ++t) sum += x(sequence(b), t, c);
            y(b, part * width + c) = static_cast<R>(sum / static_cast<double>(read.count()));
          }
        }
      }
    });
  }

  void gradient(GradientContext& g) const override {
    std::vector<Stage> inputs = {g.grad(), g.in(0)};
    if (g.inputs() == 2) inputs.push_back(g.in(1));
    if (g.wants(0)) g.give(0, g.apply("pool_gradient", options(), inputs));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], width = in[0].shape()[2].size, c = out.index[1] % width;
    const Rows read = rows(in, 1, b, in[0].shape()[1].size, out.index[1] / width);
    if (read.count() == 1) return cell(in, 0, {sequence(b), read.first, c});
    std::vector<Expr> terms;
    for (int64_t t = read.first; t < read.end; ++t) terms.push_back(cell(in, 0, {sequence(b), t, c}));
    return Expr::sum(terms) / Expr(static_cast<double>(read.count()));
  }
};

// Inputs dy, x for its shape, and lengths.
class PoolGradient final : public PoolBase {
 public:
  using PoolBase::PoolBase;
  std::string label() const override { return "Pooling Gradient"; }
  std::string equation() const override {
    return pick_ == Pool::mean             ? "dx[t] = dy / T"
           : pick_ == Pool::rest           ? "dx[t] = dy / (T - 1) for t > 0, else 0"
           : pick_ == Pool::first_and_rest ? "dx[0] = dy's first half, dx[t] = its second half / (T - 1)"
                                           : "dx[t] = dy for the row that was read, else 0";
  }
  std::string caption() const override { return "The rows that were read share what comes back."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 3);
    require_sequences(in, in[1], 2);
    if (!fit(in[0], {documents_ ? in[2][0] : in[1][0], pooled(in[1][2])}))
      fail_call("the gradient is ", in[0].text(), ", x is ", in[1].text());
    return {{"", in[1]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto dy = in[0].as<R>();
      const auto dx = out[0].as<R>();
      const Shape& x = in[1].shape();
      std::fill_n(out[0].data<R>(), x.count(), R(0));
      for (int64_t b = 0; b < in[0].shape()[0].size; ++b) {
        for (int64_t part = 0; part < parts(); ++part) {
          const Rows read = rows(in, 2, b, x[1].size, part);
          for (int64_t t = read.first; t < read.end; ++t)
            for (int64_t c = 0; c < x[2].size; ++c)
              dx(sequence(b), t, c) = dy(b, part * x[2].size + c) / static_cast<R>(read.count());
        }
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t t = out.index[1], c = out.index[2];
    const int64_t first = documents_ ? 0 : out.index[0], end = documents_ ? in[0].shape()[0].size : first + 1;
    for (int64_t b = first; b < end; ++b)
      for (int64_t part = 0; part < parts(); ++part) {
        const Rows read = rows(in, 2, b, in[1].shape()[1].size, part);
        if (t < read.first || t >= read.end) continue;
        return cell(in, 0, {b, part * in[1].shape()[2].size + c}) / Expr(static_cast<double>(read.count()));
      }
    return Expr(0);
  }
};

}  // namespace

Stage pool(const Scope& in, Stage x, Pool pick, Stage lengths) {
  return in.graph->add(in, "pool", {{"pick", k_words[static_cast<size_t>(pick)]}},
                       lengths ? std::vector<Stage>{x, lengths} : std::vector<Stage>{x});
}

Stage pool_documents(const Scope& in, Stage x, Pool pick, Stage lengths) {
  return in.graph->add(in, "pool", {{"pick", k_words[static_cast<size_t>(pick)]}, {"documents", true}},
                       {x, lengths});
}

void register_pool(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 4}, {Axis::C, 3}}, y = {{Axis::B, 2}, {Axis::C, 3}};
  const Example::Input lengths = {{{Axis::B, 2}}, DType::i64, 1, 5};
  const Options first = {{"pick", "first"}}, mean = {{"pick", "mean"}}, last = {{"pick", "last"}},
                rest = {{"pick", "rest"}}, both = {{"pick", "first_and_rest"}};
  const Shape wide = {{Axis::B, 2}, {Axis::C, 6}};
  const Options documents = {{"pick", "mean"}, {"documents", true}},
                first_ones = {{"pick", "first"}, {"documents", true}};
  const Shape packed = {{Axis::B, 1}, {Axis::T, 9}, {Axis::C, 3}};
  const Example::Input two_or_more = {{{Axis::B, 2}}, DType::i64, 2, 5};
  all.add<Pooling>("pool", {{first, {{x}}},
                            {mean, {{x}}},
                            {last, {{x}}},
                            {first, {{x}, lengths}},
                            {mean, {{x}, lengths}},
                            {last, {{x}, lengths}},
                            {rest, {{x}}},
                            {rest, {{x}, two_or_more}},
                            {both, {{x}}},
                            {documents, {{packed}, lengths}},
                            {first_ones, {{packed}, lengths}}});
  all.add<PoolGradient>("pool_gradient", {{first, {{y}, {x}}},
                                          {rest, {{y}, {x}}},
                                          {both, {{wide}, {x}}},
                                          {mean, {{y}, {x}, lengths}},
                                          {last, {{y}, {x}, lengths}},
                                          {documents, {{y}, {packed}, lengths}}});
}

}  // namespace limpid
