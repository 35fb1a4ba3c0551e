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

#include <type_traits>

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
    // `vectors` whole ones, or what is left of a single one.  What the tile below, k_rows on, reads and
    // writes is asked for meanwhile.
    const auto cells = [&](auto vectors, int64_t i, int64_t left) {
      constexpr int kV = vectors;
      const auto read = [&](const float* from, int v) {
        return kV > 1 ? hn::LoadU(k_f32, from + i + v * k_lanes) : load(from + i, left);
      };
      const auto write = [&](Vec x, float* to, int v) {
        if (kV > 1) return hn::StoreU(x, k_f32, to + i + v * k_lanes);
        store(x, to + i, left);
      };
      const auto soon = [&](const float* from, int64_t ld) {
        for (int v = 0; v < kV; ++v) hwy::Prefetch(from + i + v * k_lanes + k_rows * ld);
      };
      Vec x[kV];
      for (int v = 0; v < kV; ++v) {
        x[v] = read(c, v);
        if (bias) x[v] = hn::Add(x[v], read(bias, v));
        if (before) write(x[v], before, v);
      }
      for (int v = 0; v < kV; ++v) x[v] = activation(x[v], at ? read(at, v) : x[v]);
      for (int v = 0; v < kV; ++v) {
        if (residual) x[v] = hn::Add(x[v], read(residual, v));
        write(x[v], c, v);
      }
      if (before) soon(before, args.ld_before);
      if (at) soon(at, args.ld_gradient_at);
      if (residual) soon(residual, args.ld_residual);
    };
    int64_t i = 0;
    for (; i + 2 * k_lanes <= part.columns; i += 2 * k_lanes)  // two at once: they fill each other's gaps
      cells(std::integral_constant<int, 2>{}, i, 2 * k_lanes);
    for (; i < part.columns; i += k_lanes) cells(std::integral_constant<int, 1>{}, i, part.columns - i);
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
