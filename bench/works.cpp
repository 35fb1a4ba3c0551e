#include "bench/works.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "bench/peak.h"
#include "bench/program.h"
#include "core/random.h"
#include "core/threads.h"
#include "kernels/attention.h"
#include "kernels/elementwise.h"
#include "kernels/kernel.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/softmax.h"
#include "limpid/tensor.h"

namespace limpid::bench {
namespace {

using kernels::launch;
using Run = std::function<void()>;

Tensor numbers(int64_t count) {
  Tensor t(DType::f32, Shape::unnamed({count}));
  Random random(1, stream_named("bench"));
  for (int64_t i = 0; i < count; ++i) t.data<float>()[i] = static_cast<float>(2 * random.uniform() - 1);
  return t;
}

// ---- ceilings ------------------------------------------------------------------------------------

constexpr int64_t k_peak_steps = 200000;  // about a millisecond: starting threads is no part of it

// Every thread has its own registers: the peak grows with them.
Work peak(const std::string& isa) {
  kernels::force_isa(isa);
  const auto each = static_cast<double>(multiply_adds(1) * k_peak_steps);
  return {"Ceiling: multiply-adds on registers",
          isa,
          each,
          false,
          [] { parallel_for(threads(), [](int64_t, int) { multiply_adds(k_peak_steps); }); },
          isa};
}

Work plain_copy(int64_t count) {
  const auto from = std::make_shared<Tensor>(numbers(count)), to = std::make_shared<Tensor>(numbers(count));
  static constexpr int64_t k_block = 1 << 15;  // floats a task
  return {"Ceiling: memcpy, bytes read and written", join(grouped(count * 4 / 1024), " KiB"),
          8.0 * static_cast<double>(count), true, [from, to, count] {
            const float* source = from->data<float>();
            float* target = to->data<float>();
            parallel_for((count + k_block - 1) / k_block, [&](int64_t task, int) {
              const int64_t first = task * k_block, n = std::min(k_block, count - first);
              std::memcpy(target + first, source + first, static_cast<size_t>(n) * sizeof(float));
            });
          }};
}

// ---- kernels -------------------------------------------------------------------------------------

Work product(int64_t m, int64_t k, int64_t n, const std::string& form) {
  const auto a = std::make_shared<Tensor>(numbers(m * k)), b = std::make_shared<Tensor>(numbers(k * n)),
             c = std::make_shared<Tensor>(numbers(m * n));
  kernels::MatmulArgs args;
  args.m = m, args.k = k, args.n = n;
  args.transpose_a = form == "tn";
  args.transpose_b = form == "nt";
  args.lda = args.transpose_a ? m : k;
  args.ldb = args.transpose_b ? k : n;
  args.ldc = n;
  args.a = a->data<float>(), args.b = b->data<float>(), args.c = c->data<float>();
  return {"Products C[M,N] = A[M,K] B[K,N]; nt, tn: B, A stored transposed",
          join(form, "  M ", m, "  K ", k, "  N ", n),
          2.0 * static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n), false, [=] {
            (void)a, (void)b, (void)c;  // kept alive
            launch(kernels::Matmul(args));
          }};
}

struct AttentionMemory {
  Tensor q, k, v, z, lse, dz, dq, dk, dv;
  kernels::AttentionArgs args;
  kernels::AttentionGradients gradients;

  AttentionMemory(int64_t batch, int64_t heads, int64_t t, int64_t width, bool causal) {
    const int64_t count = batch * t * heads * width;
    q = numbers(count), k = numbers(count), v = numbers(count), z = numbers(count), dz = numbers(count);
    dq = numbers(count), dk = numbers(count), dv = numbers(count), lse = numbers(batch * heads * t);
    const kernels::HeadStrides at{t * heads * width, heads * width, width};  // [B,T,H,D]
    args.shape = {batch, t, t, heads, heads, width, width};
    args.q = q.data<float>(), args.k = k.data<float>(), args.v = v.data<float>(), args.z = z.data<float>();
    args.lse = lse.data<float>();
    args.q_at = args.k_at = args.v_at = args.z_at = at;
    args.scale = 1 / std::sqrt(static_cast<float>(width));
    args.causal = causal;
    gradients.dz = dz.data<float>();
    gradients.dq = dq.data<float>(), gradients.dk = dk.data<float>(), gradients.dv = dv.data<float>();
    gradients.dz_at = gradients.dq_at = gradients.dk_at = gradients.dv_at = at;
    launch(kernels::AttentionForward(args));  // the gradient reads z and lse
  }
};

// Only what is seen counts: with a causal mask T (T + 1) / 2 cells a head.  Forward two products a cell,
// backward five: it rebuilds the scores.
std::vector<Work> attention(int64_t batch, int64_t heads, int64_t t, int64_t width, bool causal) {
  const auto memory = std::make_shared<AttentionMemory>(batch, heads, t, width, causal);
  const auto cells = static_cast<double>(batch * heads * (causal ? t * (t + 1) / 2 : t * t));
  const double product = 2 * cells * static_cast<double>(width);
  const std::string group = "Attention, fused; work of the cells that are seen";
  const std::string name =
      join("  B ", batch, "  H ", heads, "  T ", t, "  D ", width, causal ? "  causal" : "");
  return {{group, "forward" + name, 2 * product, false,
           [memory] { launch(kernels::AttentionForward(memory->args)); }},
          {group, "backward" + name, 5 * product, false,
           [memory] { launch(kernels::AttentionBackward(memory->args, memory->gradients)); }}};
}

// Kernels that read x and write y, row by row or number by number.
struct Rows {
  Tensor x, y, w, b, scale;
};

std::shared_ptr<Rows> row_memory(int64_t rows, int64_t width) {
  return std::make_shared<Rows>(
      Rows{numbers(rows * width), numbers(rows * width), numbers(width), numbers(width), numbers(rows)});
}

Work row_work(const std::string& name, int64_t rows, int64_t width, Run run) {
  return {"Row by row: bytes read and written", join(name, "  ", rows, " x ", width),
          8.0 * static_cast<double>(rows) * static_cast<double>(width), true, std::move(run)};
}

Work layer_norm(int64_t rows, int64_t width) {
  const auto m = row_memory(rows, width);
  return row_work("layer norm", rows, width, [=] {
    kernels::NormForward k;
    k.x = m->x.data<float>(), k.w = m->w.data<float>(), k.b = m->b.data<float>();
    k.y = m->y.data<float>(), k.scale = m->scale.data<float>();
    k.rows = rows, k.width = width;
    launch(k);
  });
}

Work softmax(int64_t rows, int64_t width) {
  const auto m = row_memory(rows, width);
  return row_work("softmax", rows, width, [=] {
    kernels::Softmax k;
    k.x = m->x.data<float>(), k.y = m->y.data<float>(), k.rows = rows, k.width = width;
    launch(k);
  });
}

Work gelu(int64_t rows, int64_t width) {
  const auto m = row_memory(rows, width);
  return row_work("GELU", rows, width, [=] {
    kernels::Elementwise k;
    k.function = kernels::Function::gelu;
    k.a = m->x.data<float>(), k.out = m->y.data<float>(), k.count = rows * width;
    launch(k);
  });
}

// ---- the whole list ------------------------------------------------------------------------------

class List {
 public:
  List(const std::string& isa, const std::string& only) : isa_(isa), only_(only) {
    for (const std::string& name : kernels::isa_names()) {
      if (name == isa) peak_ = static_cast<int>(all_.size());
      all_.push_back(peak(name));
    }
    kernels::force_isa(isa);
  }

  void add(Work work) {
    if ((work.group + work.name).find(only_) == std::string::npos) return;
    work.ceiling = peak_;
    if (work.bytes) work.ceiling = copy_of(static_cast<int64_t>(work.amount) / 8);
    work.isa = isa_;
    all_.push_back(std::move(work));
  }
  void add(std::vector<Work> works) {
    for (Work& work : works) add(std::move(work));
  }
  const std::vector<Work>& all() const { return all_; }

 private:
  int copy_of(int64_t count) {
    const auto [found, fresh] = copies_.try_emplace(count, static_cast<int>(all_.size()));
    if (fresh) all_.push_back(plain_copy(count));  // the C library chooses its instructions itself
    return found->second;
  }

  const std::string &isa_, &only_;
  int peak_ = 0;
  std::vector<Work> all_;
  std::map<int64_t, int> copies_;
};

}  // namespace

std::vector<Work> works(const std::string& isa, const std::string& only) {
  List list(isa, only);
  // One layer of the built-in model on 12 x 256 tokens (width 192, feed-forward 576, 2,048 tokens to choose
  // from), and a square one.
  for (const char* form : {"nn", "nt", "tn"}) {
    list.add(product(3072, 192, 576, form));
    list.add(product(3072, 576, 192, form));
    list.add(product(3072, 192, 2048, form));
    list.add(product(768, 128, 512, form));
    list.add(product(1024, 1024, 1024, form));
  }
  list.add(attention(12, 6, 256, 32, true));
  list.add(attention(1, 12, 1024, 64, false));
  list.add(attention(1, 12, 1024, 64, true));
  list.add(layer_norm(3072, 192));
  list.add(layer_norm(3072, 768));
  list.add(softmax(3072, 256));
  list.add(softmax(3072, 2048));
  list.add(gelu(3072, 576));
  return list.all();
}

}  // namespace limpid::bench
