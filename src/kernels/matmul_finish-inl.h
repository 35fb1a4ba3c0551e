// What happens to a tile of C while it is still in the first-level cache: bias, activation, residual, and the
// way to where it belongs.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_MATMUL_FINISH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_MATMUL_FINISH_INL_H_
#undef LIMPID_KERNELS_MATMUL_FINISH_INL_H_
#else
#define LIMPID_KERNELS_MATMUL_FINISH_INL_H_
#endif

#include "hwy/cache_control.h"
#include "kernels/matmul_pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

/// A part of C: rows [m, m + rows), columns [n, n + columns) of product `item`.
struct Part {
  int64_t item, m, rows, n, columns;
};

inline bool has_finish(const MatmulArgs& args) {
  return args.bias || args.residual || args.before || args.activation != Activation::none;
}

// `activation` of the cell and, where it is a gradient, of where it is taken.
template <class F>
void finish_with(const MatmulArgs& args, const Part& part, float* c, int64_t ldc, F activation) {
  const float* bias = args.bias ? args.bias + part.n : nullptr;
  for (int64_t r = 0; r < part.rows; ++r, c += ldc) {
    const int64_t row = part.m + r, first = part.item * args.batch_c + part.n;
    float* before = args.before ? args.before + first + row * args.ld_before : nullptr;
    const float* at = args.gradient_at ? args.gradient_at + first + row * args.ld_gradient_at : nullptr;
    const float* residual = args.residual ? args.residual + first + row * args.ld_residual : nullptr;
    const auto one = [&](int64_t i, int64_t left) {
      Vec x = load(c + i, left);
      if (bias) x = hn::Add(x, load(bias + i, left));
      if (before) store(x, before + i, left);
      x = activation(x, at ? load(at + i, left) : x);
      if (residual) x = hn::Add(x, load(residual + i, left));
      store(x, c + i, left);
    };
    int64_t i = 0;
    for (; i + 2 * k_lanes <= part.columns; i += 2 * k_lanes) {  // two at once: they fill each other's gaps
      Vec x = hn::LoadU(k_f32, c + i), y = hn::LoadU(k_f32, c + i + k_lanes);
      if (bias) {
        x = hn::Add(x, hn::LoadU(k_f32, bias + i));
        y = hn::Add(y, hn::LoadU(k_f32, bias + i + k_lanes));
      }
      if (before) {
        hn::StoreU(x, k_f32, before + i);
        hn::StoreU(y, k_f32, before + i + k_lanes);
        hwy::Prefetch(before + i + 6 * args.ld_before);
        hwy::Prefetch(before + i + k_lanes + 6 * args.ld_before);
      }
      if (at) {
        x = activation(x, hn::LoadU(k_f32, at + i));
        y = activation(y, hn::LoadU(k_f32, at + i + k_lanes));
        hwy::Prefetch(at + i + 6 * args.ld_gradient_at);
        hwy::Prefetch(at + i + k_lanes + 6 * args.ld_gradient_at);
      } else {
        x = activation(x, x);
        y = activation(y, y);
      }
      if (residual) {
        x = hn::Add(x, hn::LoadU(k_f32, residual + i));
        y = hn::Add(y, hn::LoadU(k_f32, residual + i + k_lanes));
        hwy::Prefetch(residual + i + 6 * args.ld_residual);
        hwy::Prefetch(residual + i + k_lanes + 6 * args.ld_residual);
      }
      hn::StoreU(x, k_f32, c + i);
      hn::StoreU(y, k_f32, c + i + k_lanes);
    }
    for (; i < part.columns; i += k_lanes) one(i, part.columns - i);
  }
}

/// Bias, activation and residual of a part whose sums are at c, in place.
inline void finish(const MatmulArgs& args, const Part& part, float* c, int64_t ldc) {
  const auto with = [&](auto activation, auto gradient) {
    if (args.gradient_at) return finish_with(args, part, c, ldc, gradient);
    finish_with(args, part, c, ldc, [=](Vec x, Vec) { return activation(x); });
  };
  switch (args.activation) {
    case Activation::none:
      return finish_with(args, part, c, ldc, [](Vec x, Vec) { return x; });
    case Activation::relu:
      return with([](Vec x) { return relu(x); }, [](Vec x, Vec at) { return relu_gradient(x, at); });
    case Activation::gelu:
      return with([](Vec x) { return gelu(x); }, [](Vec x, Vec at) { return gelu_gradient(x, at); });
    case Activation::gelu_tanh:
      return with([](Vec x) { return gelu_tanh(x); },
                  [](Vec x, Vec at) { return gelu_tanh_gradient(x, at); });
    case Activation::silu:
      return with([](Vec x) { return silu(x); }, [](Vec x, Vec at) { return silu_gradient(x, at); });
    case Activation::tanh:
      return with([](Vec x) { return tanh(x); }, [](Vec x, Vec at) { return tanh_gradient(x, at); });
  }
}

/// C's part between its own place and rows of scratch `pitch` apart.
inline Stored<float> c_of(const MatmulArgs& args, int64_t item) {
  return {args.c + item * args.batch_c, args.ldc, args.c_heads};
}
inline void fetch_c(const Stored<float>& c, const Part& part, float* HWY_RESTRICT to, int64_t pitch) {
  for_pieces(c.heads, part.m, part.rows, part.n, part.columns,
             [&](int64_t r, int64_t rows, int64_t i, int64_t wide) {
               copy_rows(rows, wide, c.at(part.m + r, part.n + i), c.ld, to + r * pitch + i, pitch);
             });
}
inline void put_c(const Stored<float>& c, const Part& part, const float* HWY_RESTRICT from, int64_t pitch) {
  for_pieces(c.heads, part.m, part.rows, part.n, part.columns,
             [&](int64_t r, int64_t rows, int64_t i, int64_t wide) {
               copy_rows(rows, wide, from + r * pitch + i, pitch,
                         const_cast<float*>(c.at(part.m + r, part.n + i)), c.ld);
             });
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_MATMUL_FINISH_INL_H_
