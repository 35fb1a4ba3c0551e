// What operations that treat every element by itself share.
#pragma once

#include "ops/loops.h"

namespace limpid {

/// `count` inputs of one shape give one output of that shape.
inline std::vector<Output> same_shape(const std::vector<Shape>& in, size_t count) {
  require_inputs(in, count, count);
  for (const Shape& other : in)
    if (!fit(other, in[0]))
      fail_call("the inputs are ", in[0].text(), " and ", other.text(), ", expected the same");
  return {{"", in[0]}};
}

/// out[i] = f(x[i]) for every element.
template <class F>
void each(Inputs in, Outputs out, F f) {
  on_real(out[0], [&]<class R>() {
    const int64_t count = out[0].shape().count();
    const R* x = in[0].data<R>();
    R* y = out[0].data<R>();
    for (int64_t i = 0; i < count; ++i) y[i] = f(x[i]);
  });
}

/// out[i] = f(a[i], b[i]) for every element.
template <class F>
void each_pair(Inputs in, Outputs out, F f) {
  on_real(out[0], [&]<class R>() {
    const int64_t count = out[0].shape().count();
    const R *a = in[0].data<R>(), *b = in[1].data<R>();
    R* y = out[0].data<R>();
    for (int64_t i = 0; i < count; ++i) y[i] = f(a[i], b[i]);
  });
}

}  // namespace limpid
