// What the networks share: a linear layer with its parameters.
#pragma once

#include <cmath>

#include "limpid/network.h"

namespace limpid {

struct Projection {
  double init = 0.02;
  bool bias = false;
  bool keys = false;  // the rows are keys or values: their axis is S
  Shape from = {};    // axes of w that are summed over; x's last when left out
  std::string bias_name = "";
};

/// y = x W + b with its parameters: `weight` is a suffix ("Q": W_Q, b_Q beside the stage) or, with a dot, a
/// full name.
Stage project(const Scope& in, Stage x, const std::string& weight, Shape to, const Projection&);

/// The norm over the last axis, with gain (and bias for layer norm); parameters NAME.w, NAME.b.
Stage normalize(const Scope& in, Stage x, const NormOptions&);

/// Feed-forward: stages in/pre, in/post (gated: in/gate, in/up too) and in.beside("mlp_out").
Stage feed_forward(const Scope& in, Stage x, const FeedForwardOptions&, int64_t width, double out_init);

/// act(x), stage `in`.
Stage activate(const Scope& in, Stage x, Activation);

/// What a layer adds, dropped out when training.
Stage dropped(Stage x, double rate);

}  // namespace limpid
