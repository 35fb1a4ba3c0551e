// Patches of a series: each channel by itself is cut into pieces of some moments, and each piece is one row
// (Nie 2023, PatchTST).  The moments of a piece may lie a period apart, so that a row is one phase of it: of
// hours 24 apart, the same hour of many days (Lin 2024, SparseTSF).
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// x [B,X,K] -> [B K,T,size]: row (b, k), patch t is the moments first + t stride + i apart of channel k.  The
// last patch ends with the series; moments that fit in none are the earliest.
class SeriesPatches final : public Operation {
 public:
  explicit SeriesPatches(const Options& options)
      : size_(options.integer("size", 16)),
        stride_(options.integer("stride", 8)),
        apart_(options.integer("apart", 1)) {
    constexpr int64_t k_most = 1 << 24;
    if (size_ < 1 || stride_ < 1 || apart_ < 1 || size_ > k_most || apart_ > k_most)
      fail_call("patches of ", size_, " moments, ", apart_, " apart, one every ", stride_,
                " moments, expected 1 to ", k_most, " of each");
  }
  std::string label() const override { return "Patches"; }
  std::string equation() const override {
    return join("x[k,t] = ", size_, " moments of channel k, ",
                apart_ > 1 ? join(apart_, " apart, ") : std::string(), "one every ", stride_);
  }
  std::string caption() const override {
    return apart_ > 1 ? join("Takes every channel apart: a row is what lies ", apart_, " moments apart.")
                      : "Cuts every channel into pieces; each is read as one row of numbers.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    require_rank(in[0], 3, "the series", "[B,X,K]");
    const int64_t batch = in[0][0].size, length = in[0][1].size, channels = in[0][2].size;
    if (length >= 0 && length < extent())
      fail_call("the series has ", length, " moments, expected at least ", extent(), ", one patch");
    const int64_t rows = batch < 0 || channels < 0 ? k_symbolic : batch * channels;
    return {{"",
             {{Axis::B, rows},
              {Axis::T, length < 0 ? k_symbolic : (length - extent()) / stride_ + 1},
              {Axis::C, size_}}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& rows = out[0].shape();
      const auto x = in[0].as<R>();
      const auto y = out[0].as<R>();
      for (int64_t r = 0; r < rows[0].size; ++r)
        for (int64_t t = 0; t < rows[1].size; ++t)
          for (int64_t i = 0; i < size_; ++i) {
            const Index at = place(in[0].shape(), r, t, i);
            y(r, t, i) = x(at[0], at[1], at[2]);
          }
    });
  }

  void gradient(GradientContext&) const override {}  // of what is given: nothing learned stands before it

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return cell(in, 0, place(in[0].shape(), out.index[0], out.index[1], out.index[2]));
  }

 private:
  // From the first moment of a patch to behind its last.
  int64_t extent() const { return (size_ - 1) * apart_ + 1; }

  Index place(const Shape& x, int64_t row, int64_t t, int64_t i) const {
    const int64_t channels = x[2].size, first = (x[1].size - extent()) % stride_;
    return {row / channels, first + t * stride_ + i * apart_, row % channels};
  }

  int64_t size_, stride_, apart_;
};

}  // namespace

Stage series_patches(const Scope& in, Stage x, int64_t size, int64_t stride, int64_t apart) {
  return in.graph->add(in, "series_patches", {{"size", size}, {"stride", stride}, {"apart", apart}}, {x});
}

void register_series_patches(Registry& all) {
  const Example::Input x = {{{Axis::B, 2}, {Axis::X, 9}, {Axis::K, 3}}, DType::f32, -1, 1, false};
  all.add<SeriesPatches>("series_patches",
                         {{{{"size", int64_t{4}}, {"stride", int64_t{2}}}, {x}},
                          {{{"size", int64_t{3}}, {"stride", int64_t{3}}}, {x}},
                          {{{"size", int64_t{2}}, {"stride", int64_t{2}}, {"apart", int64_t{4}}}, {x}}});
}

}  // namespace limpid
