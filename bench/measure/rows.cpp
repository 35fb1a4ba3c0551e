// Norms and softmax: row by row, bound by memory.  The limit is a copy of as many bytes, and a gradient,
// which reads two arrays and writes one, is held to that too.
#include "bench/measure/catalogue.h"
#include "bench/measure/memory.h"
#include "kernels/kernel.h"
#include "kernels/norm.h"
#include "kernels/softmax.h"
#include "limpid/error.h"

namespace limpid::bench {
namespace {

using kernels::launch;
using Run = std::function<void()>;

Case row_case(const std::string& what, const std::string& name, int64_t rows, int64_t width, int arrays) {
  Case c;
  c.what = what;
  c.shape = join(name, " (", rows, ",", width, ")");
  c.sizes = {{"M", rows}, {"N", width}};
  const int64_t bytes = 4 * arrays * rows * width;
  c.bounds = {{{LimitKey::Kind::copy, bytes}, static_cast<double>(bytes)}};
  c.quick = arrays == 2 && width == 768;
  return c;
}

Case norm(kernels::Norm kind, int64_t rows, int64_t width) {
  Case c = row_case("norm", kind == kernels::Norm::layer ? "layer" : "rms", rows, width, 2);
  c.prepare = [=]() -> Run {
    const auto x = shared_numbers("x", rows * width), y = shared_numbers("y", rows * width);
    const auto w = shared_numbers("w", width), b = shared_numbers("b", width),
               scale = shared_numbers("s", rows);
    kernels::NormForward k;
    k.norm = kind;
    k.x = x.get(), k.w = w.get(), k.b = b.get(), k.y = y.get(), k.scale = scale.get();
    k.rows = rows, k.width = width;
    return [=] {
      (void)x, (void)y, (void)w, (void)b, (void)scale;  // kept alive
      launch(k);
    };
  };
  return c;
}

Case norm_gradient(kernels::Norm kind, int64_t rows, int64_t width) {
  Case c = row_case("norm", kind == kernels::Norm::layer ? "layer_backward" : "rms_backward", rows, width, 3);
  c.prepare = [=]() -> Run {
    const auto x = shared_numbers("x", rows * width), dy = shared_numbers("dy", rows * width),
               dx = shared_numbers("y", rows * width);
    const auto w = shared_numbers("w", width), scale = shared_numbers("s", rows),
               dw = shared_numbers("dw", width), db = shared_numbers("db", width);
    kernels::NormForward forward;  // the gradient reads its scale
    forward.norm = kind;
    forward.x = x.get(), forward.w = w.get(), forward.y = dx.get(), forward.scale = scale.get();
    forward.rows = rows, forward.width = width;
    launch(forward);
    kernels::NormGradient k;
    k.norm = kind;
    k.x = x.get(), k.dy = dy.get(), k.dx = dx.get(), k.w = w.get(), k.scale = scale.get();
    k.rows = rows, k.width = width;
    return [=] {
      (void)x, (void)dy, (void)dx, (void)w, (void)scale;  // kept alive
      kernels::norm_gradient(k, dw.get(), db.get());
    };
  };
  return c;
}

Case softmax(int64_t rows, int64_t width) {
  Case c = row_case("softmax", width < 1024 ? "narrow" : "wide", rows, width, 2);
  c.quick = true;
  c.prepare = [=]() -> Run {
    const auto x = shared_numbers("x", rows * width), y = shared_numbers("y", rows * width);
    kernels::Softmax k;
    k.x = x.get(), k.y = y.get(), k.rows = rows, k.width = width;
    return [=] {
      (void)x, (void)y;  // kept alive
      launch(k);
    };
  };
  return c;
}

}  // namespace

void add_rows(std::vector<Case>& all) {
  using kernels::Norm;
  all.push_back(norm(Norm::layer, 1024, 768));
  all.push_back(norm(Norm::layer, 1024, 4096));
  all.push_back(norm(Norm::rms, 1024, 768));
  all.push_back(norm(Norm::rms, 1024, 4096));
  all.push_back(norm_gradient(Norm::layer, 1024, 768));
  all.push_back(norm_gradient(Norm::rms, 1024, 768));
  all.push_back(softmax(3072, 256));
  all.push_back(softmax(3072, 2048));
}

}  // namespace limpid::bench
