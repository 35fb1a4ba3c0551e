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

/// The norm of a network's choice, with gain (and bias for layer norm); parameters NAME.w, NAME.b.
Stage normalize(const Scope& in, Stage x, Norm, double epsilon, bool bias);

}  // namespace limpid
