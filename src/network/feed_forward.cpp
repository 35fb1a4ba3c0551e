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

namespace {

// One matrix of every expert, and their biases.
Stage experts_linear(const Scope& in, Stage x, const std::string& name, const Dim& to, Stage chosen,
                     const FeedForwardOptions& o, double init) {
  const Dim from = x.shape()[x.shape().rank() - 1], experts = {Axis::M, o.experts->count};
  const std::string at = in.beside("experts.").path;
  const Stage w =
      in.graph->parameter(at + "W_" + name, {experts, from, to}, {Init::Kind::normal, init, true});
  Stage b;
  if (o.bias) b = in.graph->parameter(at + "b_" + name, {experts, to}, {Init::Kind::zeros, 0, false});
  return expert_linear(in, x, w, chosen, b);
}

// Of x [B,T,C] each token goes through J of M feed-forward layers.
Stage mixture(const Scope& in, Stage x, const FeedForwardOptions& o, int64_t width, double out_init) {
  const ExpertOptions& e = *o.experts;
  const Dim wide = {Axis::F, o.width};
  const Note scores = {"Router", e.router_bias ? "z = x W_router + b_router" : "z = x W_router",
                       "Scores how well each expert fits a token."};
  const Note widen = {"Experts (in)", "", "Each token's experts look at it, through many small detectors."};
  const Note above = {"Experts (up)", "", "What passes where the experts' detectors open."};
  const Note narrow = {"Experts (out)", "", "What each expert says, in the width of the model."};
  const Stage logits = project((in / "router_logits").saying(scores), x, "router", {{Axis::M, e.count}},
                               {.bias = e.router_bias});                               // [B,T,M]
  const Routed to = route(in / "router_weights", logits, {e.chosen, e.share_of_all});  // [B,T,M], [B,T,J]
  Stage h = experts_linear((in / "pre").saying(widen), x, "in", wide, to.chosen, o, 0.02);  // [B,T,J,F]
  if (o.gated || o.clamped || o.activation == Activation::swiglu) {
    const Stage open = o.clamped ? h : activate(in / "gate", h, o.activation);  // [B,T,J,F]
    const Stage up =
        experts_linear((in / "up").saying(above), x, "up", wide, to.chosen, o, 0.02);  // [B,T,J,F]
    h = o.clamped ? clamped_gate(in / "post", open, up, *o.clamped) : gate(in / "post", open, up);
  } else {
    h = activate(in / "post", h, o.activation);  // [B,T,J,F]
  }
  h = experts_linear((in / "expert_out").saying(narrow), h, "out", {Axis::C, width}, to.chosen, o,
                     out_init);                    // [B,T,J,C]
  return expert_sum(in.beside("mlp_out"), h, to);  // [B,T,C]
}

}  // namespace

Stage feed_forward(const Scope& in, Stage x, const FeedForwardOptions& o, int64_t width, double out_init) {
  if (o.experts) return mixture(in, x, o, width, out_init);
  const Shape wide = {{Axis::F, o.width}};
  const Note widen = {"Feed-Forward (in)", o.bias ? "pre = x W_in + b_in" : "pre = x W_in",
                      "Looks at each token alone, through many small detectors."};
  const Note bent = {"", "", "Keeps the detectors that found something and silences the others."};
  const Note narrow = {"Feed-Forward (out)", o.bias ? "y = post W_out + b_out" : "y = post W_out",
                       "Writes what was detected back in the width of the model."};
  Stage h = project((in / "pre").saying(widen), x, "in", wide, {.bias = o.bias});  // [B,T,F]
  if (o.clamped) {
    h = clamped_gate(in / "post", h, project(in / "up", x, "up", wide, {.bias = o.bias}), *o.clamped);
  } else if (o.gated || o.activation == Activation::swiglu) {
    const Stage open = activate(in / "gate", h, o.activation);                         // [B,T,F]
    h = gate(in / "post", open, project(in / "up", x, "up", wide, {.bias = o.bias}));  // [B,T,F]
  } else {
    h = activate((in / "post").saying(bent), h, o.activation);  // [B,T,F]
  }
  return project(in.beside("mlp_out").saying(narrow), h, (in / "W_out").path, {{Axis::C, width}},  // [B,T,C]
                 {.init = out_init, .bias = o.bias, .bias_name = (in / "b_out").path});
}

}  // namespace limpid
