// The one loop that Highway 1.0.3 has no word for: products of bf16 pairs added up in f32.  Compiled wherever
// the compiler knows the instruction, run only where the processor has it.
#include "bench/measure/loops.h"
#include "kernels/isa.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(LIMPID_NO_BF16_PRODUCTS)
#define LIMPID_X86_BF16 1
#include <immintrin.h>
#endif

namespace limpid::bench {

#ifdef LIMPID_X86_BF16

namespace {

volatile float k_pair = 1.0f / 1024, k_start = 0.5f;
thread_local volatile float t_sink;

__attribute__((target("avx512f,avx512bf16"))) float loop(int64_t steps, float pair, float start) {
  constexpr int k_chains = 24;
  const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(pair), _mm512_set1_ps(pair));
  __m512 chain[k_chains];
#pragma GCC unroll 24
  for (int i = 0; i < k_chains; ++i) chain[i] = _mm512_set1_ps(start + static_cast<float>(i));
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
    for (int i = 0; i < k_chains; ++i) chain[i] = _mm512_dpbf16_ps(chain[i], a, a);
  }
  __m512 sum = chain[0];
#pragma GCC unroll 24
  for (int i = 1; i < k_chains; ++i) sum = _mm512_add_ps(sum, chain[i]);
  return _mm512_cvtss_f32(sum);  // one lane will do: the compiler must have the sum
}

}  // namespace

bool has_bf16_products() { return __builtin_cpu_supports("avx512bf16") && kernels::isa_name() == "avx512"; }

int64_t bf16_products(int64_t steps) {
  if (!has_bf16_products()) return multiply_adds(steps);
  t_sink = loop(steps, k_pair, k_start);
  return steps * 24 * 16 * 4;  // chains, lanes, two products and two sums
}

#else

bool has_bf16_products() { return false; }
int64_t bf16_products(int64_t steps) { return multiply_adds(steps); }

#endif

}  // namespace limpid::bench
