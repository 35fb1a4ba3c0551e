// oneDNN and OpenBLAS as peers: products of matrices, f32.  Built only where the library is there (two
// programs, bench_peer_onednn and bench_peer_openblas); never linked into limpid.  OpenBLAS 0.3.21 knows this
// family of processors by its elder brothers and takes AVX2 kernels: run it with OPENBLAS_CORETYPE=SkylakeX
// where there is AVX-512 (bench/peers/run does).  peer.h says what is asked and answered.
#include <nlohmann/json.hpp>
#include <string>

#include "bench/measure/memory.h"
#include "bench/measure/peer.h"
#include "limpid/error.h"

#ifdef LIMPID_PEER_ONEDNN
#include <omp.h>

#include <dnnl.hpp>
#else
#include <cblas.h>
#endif

namespace limpid::bench {
namespace {

using nlohmann::json;
using Run = std::function<void()>;

struct Product {
  int64_t m, k, n;
  bool transpose_a, transpose_b;
  std::shared_ptr<float> a, b, c;

  int64_t lda() const { return transpose_a ? m : k; }
  int64_t ldb() const { return transpose_b ? k : n; }
};

#ifdef LIMPID_PEER_ONEDNN

json hello() {
  const dnnl_version_t* v = dnnl_version();
  const std::string isa = dnnl_get_effective_cpu_isa() >= dnnl_cpu_isa_avx512_core ? "avx512" : "avx2";
  return {{"peer", "oneDNN"}, {"version", join(v->major, ".", v->minor, ".", v->patch)}, {"isa", isa}};
}

void sgemm(const Product& p) {
  const dnnl_status_t status = dnnl_sgemm(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', p.m, p.n, p.k,
                                          1, p.a.get(), p.lda(), p.b.get(), p.ldb(), 0, p.c.get(), p.n);
  if (status != dnnl_success) fail_work("dnnl_sgemm gave ", static_cast<int>(status));
}

Run matmul(const Product& p) {
  using Dims = dnnl::memory::dims;
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  static dnnl::stream stream(engine);
  const auto described = [](int64_t rows, int64_t columns, Dims strides) {
    return dnnl::memory::desc({rows, columns}, dnnl::memory::data_type::f32, strides);
  };
  const auto a = described(p.m, p.k, p.transpose_a ? Dims{1, p.m} : Dims{p.k, 1});
  const auto b = described(p.k, p.n, p.transpose_b ? Dims{1, p.k} : Dims{p.n, 1});
  const auto c = described(p.m, p.n, {p.n, 1});
  const dnnl::matmul primitive(dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, c), engine));
  const std::unordered_map<int, dnnl::memory> arguments = {
      {DNNL_ARG_SRC, dnnl::memory(a, engine, p.a.get())},
      {DNNL_ARG_WEIGHTS, dnnl::memory(b, engine, p.b.get())},
      {DNNL_ARG_DST, dnnl::memory(c, engine, p.c.get())}};
  return [primitive, arguments, p] {  // p holds the memory
    primitive.execute(stream, arguments);
    stream.wait();
  };
}

// It has two ways; the faster one at this shape is the peer.  A primitive is made for the threads there are.
Run multiply(const Product& p, int threads) {
  omp_set_num_threads(threads);
  const Run both[] = {[p] { sgemm(p); }, matmul(p)};
  double best[] = {1e30, 1e30};
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 2; ++i) best[i] = std::min(best[i], timed(1, "", both[i])(1));
  return [threads, run = both[best[1] < best[0]]] {
    omp_set_num_threads(threads);
    run();
  };
}

#else

json hello() {
  const std::string core = openblas_get_corename(), config = openblas_get_config();
  const bool wide = core == "SkylakeX" || core == "Cooperlake" || core == "SapphireRapids";
  const size_t at = config.find("OpenBLAS ");
  const std::string version =
      at == config.npos ? "" : config.substr(at + 9, config.find(' ', at + 9) - at - 9);
  return {{"peer", "OpenBLAS"}, {"version", version + " " + core}, {"isa", wide ? "avx512" : "avx2"}};
}

Run multiply(const Product& p, int threads) {
  return [p, threads] {
    openblas_set_num_threads(threads);
    const auto size = [](int64_t value) { return static_cast<blasint>(value); };
    cblas_sgemm(CblasRowMajor, p.transpose_a ? CblasTrans : CblasNoTrans,
                p.transpose_b ? CblasTrans : CblasNoTrans, size(p.m), size(p.n), size(p.k), 1, p.a.get(),
                size(p.lda()), p.b.get(), size(p.ldb()), 0, p.c.get(), size(p.n));
  };
}

#endif

Sample prepare(const json& question) {
  if (question.at("what") != "matmul" || question.at("type") != "f32") return nullptr;
  const json& sizes = question.at("sizes");
  Product p{sizes.at("M"), sizes.at("K"), sizes.at("N"), question.at("layout") == "tn",
            question.at("layout") == "nt"};
  p.a = shared_numbers("a", p.m * p.k);
  p.b = shared_numbers("b", p.k * p.n);
  p.c = shared_numbers("c", p.m * p.n);
  return timed(1, "", multiply(p, question.at("threads")));  // its own threads, not limpid's
}

}  // namespace
}  // namespace limpid::bench

int main() { limpid::bench::serve(limpid::bench::hello(), limpid::bench::prepare); }
