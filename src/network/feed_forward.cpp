// Feed-forward: each row by itself through a wider layer and back.
#include "network/parts.h"

namespace limpid {

namespace {

// x sigmoid(1.702 x), CLIP's form of GELU, is silu(1.702 x) / 1.702.
constexpr double k_quick = 1.702;

}  // namespace

Stage activate(const Scope& in, Stage x, Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return gelu(in, x, Gelu::exact);
    case Activation::gelu_tanh:
      return gelu(in, x, Gelu::tanh);
    case Activation::relu:
      return relu(in, x);
    case Activation::silu:
    case Activation::swiglu:
      return silu(in, x);
    case Activation::tanh:
      return tanh(in, x);
    case Activation::quick_gelu: {
      const Scope first = in.beside("quick");
      return scale(in, silu(first / "silu", scale(first / "scaled", x, k_quick)), 1 / k_quick);
    }
    case Activation::relu_squared: {
      const Stage positive = relu(in.beside("relu"), x);
      return gate(in, positive, positive);
    }
  }
  fail_call("activation ", static_cast<int>(activation), " does not exist");
}

Stage feed_forward(const Scope& in, Stage x, const FeedForwardOptions& o, int64_t width, double out_init) {
  const Shape wide = {{Axis::F, o.width}};
  const Note widen = {"Feed-Forward (in)", o.bias ? "pre = x W_in + b_in" : "pre = x W_in",
                      "Looks at each token alone, through many small detectors."};
  const Note bent = {"", "", "Keeps the detectors that found something and silences the others."};
  const Note narrow = {"Feed-Forward (out)", o.bias ? "y = post W_out + b_out" : "y = post W_out",
                       "Writes what was detected back in the width of the model."};
  Stage h = project((in / "pre").saying(widen), x, "in", wide, {.bias = o.bias});  // [B,T,F]
  if (o.gated || o.activation == Activation::swiglu) {
    const Stage open = activate(in / "gate", h, o.activation);                         // [B,T,F]
    h = gate(in / "post", open, project(in / "up", x, "up", wide, {.bias = o.bias}));  // [B,T,F]
  } else {
    h = activate((in / "post").saying(bent), h, o.activation);  // [B,T,F]
  }
  return project(in.beside("mlp_out").saying(narrow), h, (in / "W_out").path, {{Axis::C, width}},  // [B,T,C]
                 {.init = out_init, .bias = o.bias, .bias_name = (in / "b_out").path});
}

}  // namespace limpid
