// The product of matrices, C[M,N] = A[M,K] B[K,N], f32: the layers of a GPT, their gradient forms, and shapes
// chosen to hurt.
//   layout nn   both as they are: a layer
//          nt   B stored transposed: the gradient of a layer's input
//          tn   A stored transposed: the gradient of its weights
#include "bench/measure/catalogue.h"
#include "bench/measure/memory.h"
#include "kernels/kernel.h"
#include "kernels/matmul.h"
#include "limpid/error.h"

namespace limpid::bench {
namespace {

// With this few rows every weight is multiplied so seldom that reading it may take longer.
constexpr int64_t k_few_rows = 64;

Case product(const std::string& name, int64_t m, int64_t k, int64_t n, const std::string& form, bool quick) {
  Case c;
  c.what = "matmul";
  c.shape = join(name, " (", m, ",", k, ",", n, ")");
  c.layout = form;
  c.sizes = {{"M", m}, {"K", k}, {"N", n}};
  const int64_t bytes = 4 * (m * k + k * n + m * n);
  c.bounds = {{{LimitKey::Kind::multiply_adds},
               2.0 * static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n)}};
  if (m <= k_few_rows) c.bounds.push_back({{LimitKey::Kind::read, bytes}, static_cast<double>(bytes)});
  c.quick = quick;
  c.prepare = [=]() -> std::function<void()> {
    const auto a = shared_numbers("a", m * k), b = shared_numbers("b", k * n),
               out = shared_numbers("c", m * n);
    kernels::MatmulArgs args;
    args.m = m, args.k = k, args.n = n;
    args.transpose_a = form == "tn";
    args.transpose_b = form == "nt";
    args.lda = args.transpose_a ? m : k;
    args.ldb = args.transpose_b ? k : n;
    args.ldc = n;
    args.a = a.get(), args.b = b.get(), args.c = out.get();
    return [=] {
      (void)a, (void)b, (void)out;  // kept alive
      kernels::launch(kernels::Matmul(args));
    };
  };
  return c;
}

}  // namespace

void add_products(std::vector<Case>& all) {
  // Forward, then the gradients of the input [M,N] x [N,K] and of the weights [K,M] x [M,N].
  const auto layer = [&](const std::string& name, int64_t m, int64_t k, int64_t n, bool quick) {
    all.push_back(product(name, m, k, n, "nn", quick));
    all.push_back(product(name, m, n, k, "nt", quick));
    all.push_back(product(name, k, m, n, "tn", quick));
  };
  layer("square", 1024, 768, 768, true);
  layer("wide", 1024, 768, 3072, false);
  layer("deep", 1024, 3072, 768, false);
  layer("short", 256, 768, 768, true);
  const auto hard = [&](const std::string& name, int64_t m, int64_t k, int64_t n) {
    all.push_back(product(name, m, k, n, "nn", false));
  };
  hard("row", 1, 768, 768);
  hard("row", 1, 768, 50304);
  hard("row", 1, 4096, 4096);
  hard("rows", 4, 768, 3072);
  hard("rows", 16, 4096, 4096);
  hard("logits", 256, 768, 50304);
  hard("tall", 65536, 64, 64);
  hard("long", 64, 65536, 64);
  hard("flat", 64, 64, 65536);
  hard("thin", 1024, 16, 1024);
  hard("odd", 333, 577, 1031);
  hard("power", 2048, 2048, 2048);
}

}  // namespace limpid::bench
