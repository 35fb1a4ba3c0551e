// Patches: an image is cut into squares, and the numbers of each square are one row (Dosovitskiy 2020, 3.1).
// A linear layer over them is what libraries compute as a convolution whose stride is its width.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// Row t is the square at (t / across, t % across), its numbers channel by channel, line by line.
class PatchesBase : public Operation {
 public:
  explicit PatchesBase(const Options& options) : size_(options.integer("size", 16)) {
    if (size_ < 1) fail_call("size is ", size_, ", expected at least 1");
  }

 protected:
  void require_pixels(const Shape& x) const {
    if (x.rank() != 4) fail_call("the pixels are ", x.text(), ", expected [B,channels,height,width]");
    for (int i : {2, 3})
      if (x[i].size != k_symbolic && (x[i].size < size_ || x[i].size % size_ != 0))
        fail_call("the pixels are ", x.text(), ", expected a height and a width that ", size_, " divides");
  }
  // Where number k of row t stands in one image.
  Index place(const Shape& pixels, int64_t b, int64_t t, int64_t k) const {
    const int64_t across = pixels[3].size / size_, square = size_ * size_;
    return {b, k / square, t / across * size_ + k % square / size_, t % across * size_ + k % size_};
  }

  int64_t size_;
};

class Patches final : public PatchesBase {
 public:
  using PatchesBase::PatchesBase;
  std::string label() const override { return "Patches"; }
  std::string equation() const override {
    return join("x[t] = the numbers of square t, ", size_, " by ", size_, ", of every channel");
  }
  std::string caption() const override {
    return "Cuts the image into squares; each is read as one row of numbers.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    require_pixels(in[0]);
    const auto count = [&](int64_t height, int64_t width) {
      return height == k_symbolic || width == k_symbolic ? k_symbolic : height / size_ * (width / size_);
    };
    const int64_t channels = in[0][1].size;
    return {{"",
             {in[0][0],
              {Axis::T, count(in[0][2].size, in[0][3].size)},
              {Axis::C, channels == k_symbolic ? k_symbolic : channels * size_ * size_}}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape &pixels = in[0].shape(), &rows = out[0].shape();
      const auto x = in[0].as<R>();
      const auto y = out[0].as<R>();
      for (int64_t b = 0; b < rows[0].size; ++b)
        for (int64_t t = 0; t < rows[1].size; ++t)
          for (int64_t k = 0; k < rows[2].size; ++k) {
            const Index at = place(pixels, b, t, k);
            y(b, t, k) = x(at[0], at[1], at[2], at[3]);
          }
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("patches_gradient", options(), {g.grad(), g.in(0)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return cell(in, 0, place(in[0].shape(), out.index[0], out.index[1], out.index[2]));
  }
};

// Every number goes back to its pixel.  Inputs dY, and the pixels for their shape.
class PatchesGradient final : public PatchesBase {
 public:
  using PatchesBase::PatchesBase;
  std::string label() const override { return "Patches Gradient"; }
  std::string equation() const override { return "dpixels = dx, each number where it came from"; }
  std::string caption() const override { return "Each number's gradient goes back to its pixel."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_pixels(in[1]);
    return {{"", in[1]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape &rows = in[0].shape(), &pixels = out[0].shape();
      const auto dy = in[0].as<R>();
      const auto dx = out[0].as<R>();
      for (int64_t b = 0; b < rows[0].size; ++b)
        for (int64_t t = 0; t < rows[1].size; ++t)
          for (int64_t k = 0; k < rows[2].size; ++k) {
            const Index at = place(pixels, b, t, k);
            dx(at[0], at[1], at[2], at[3]) = dy(b, t, k);
          }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t across = in[1].shape()[3].size / size_, y = out.index[2], x = out.index[3];
    return cell(in, 0,
                {out.index[0], y / size_ * across + x / size_,
                 (out.index[1] * size_ + y % size_) * size_ + x % size_});
  }
};

}  // namespace

Stage patches(const Scope& in, Stage pixels, int64_t size) {
  return in.graph->add(in, "patches", {{"size", size}}, {pixels});
}

void register_patches(Registry& all) {
  const Shape image = {{Axis::B, 2}, {Axis::K, 3}, {Axis::Y, 4}, {Axis::X, 6}};
  const Shape rows = {{Axis::B, 2}, {Axis::T, 6}, {Axis::C, 12}};
  all.add<Patches>("patches", {{{{"size", int64_t{2}}}, {{image}}}});
  all.add<PatchesGradient>("patches_gradient", {{{{"size", int64_t{2}}}, {{rows}, {image}}}});
}

}  // namespace limpid
