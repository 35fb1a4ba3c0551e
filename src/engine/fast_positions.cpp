// Kernels of the scores by distance (ops/position_scores.cpp): products with all rows that a block of tokens
// can ask for, from which each cell, or its gradient, is gathered.
#include <algorithm>
#include <cmath>
#include <memory>

#include "core/threads.h"
#include "engine/fast.h"
#include "kernels/kernel.h"
#include "kernels/matmul.h"
#include "limpid/ops.h"

namespace limpid {

namespace {

using kernels::launch;

constexpr int64_t k_block = 64;  // tokens at once: their products stay in a cache

// One block of tokens [c0, c1) of one head, and the rows [n0, n1) of the distances to all others.
struct Block {
  int64_t c0, c1, n0, n1;
  int64_t tokens() const { return c1 - c0; }
  int64_t rows() const { return n1 - n0; }
};

class Positions {
 public:
  Positions(const Operation& op, const Shape& x, const Shape& rows)
      : keys_(op.options().flag("keys")),
        scale_(static_cast<float>(op.options().real("scale", 1))),
        batch_(x[0].size),
        tokens_(x[1].size),
        heads_(x[2].size),
        width_(x[3].size),
        rows_(rows[0].size),
        places_(position_places(tokens_, position_buckets(op.options()))) {}

  int64_t batch() const { return batch_; }
  int64_t heads() const { return heads_; }
  int64_t blocks() const { return (tokens_ + k_block - 1) / k_block; }
  int64_t tokens() const { return tokens_; }
  int64_t width() const { return width_; }
  int64_t row_stride() const { return heads_ * width_; }  // of rows [N,H,D]
  int64_t scores(int64_t b, int64_t h) const { return (b * heads_ + h) * tokens_ * tokens_; }
  std::unique_ptr<float[]> room() const {  // for the products of a block
    return std::make_unique_for_overwrite<float[]>(static_cast<size_t>(k_block * rows_));
  }

  Block block(int64_t which) const {
    const int64_t c0 = which * k_block, c1 = std::min(c0 + k_block, tokens_);
    // Queries c look back to key 0 and forward to the last one; keys are looked at from there.
    const int64_t least = keys_ ? -(c1 - 1) : c0 - (tokens_ - 1);
    const int64_t most = keys_ ? tokens_ - 1 - c0 : c1 - 1;
    return {c0, c1, place(least), place(most) + 1};
  }

  // f(cell of the scores, its product in the block's room), row by row of the scores.
  template <class F>
  void each(const Block& at, F&& f) const {
    const int64_t first = tokens_ - 1;
    if (keys_) {
      for (int64_t t = 0; t < tokens_; ++t)
        for (int64_t s = at.c0; s < at.c1; ++s)
          f(t * tokens_ + s, (s - at.c0) * at.rows() + places_[static_cast<size_t>(t - s + first)] - at.n0);
    } else {
      for (int64_t t = at.c0; t < at.c1; ++t)
        for (int64_t s = 0; s < tokens_; ++s)
          f(t * tokens_ + s, (t - at.c0) * at.rows() + places_[static_cast<size_t>(t - s + first)] - at.n0);
    }
  }

  float scale() const { return scale_; }
  // Threads that are worth waking.
  int team() const {
    const int64_t work = batch_ * heads_ * tokens_ * (tokens_ + rows_ * width_);
    return work < kernels::k_worth_threads ? 1 : threads();
  }

 private:
  int64_t place(int64_t behind) const { return places_[static_cast<size_t>(behind + tokens_ - 1)]; }

  bool keys_;
  float scale_;
  int64_t batch_, tokens_, heads_, width_, rows_;
  std::vector<int64_t> places_;
};

// The numbers of token c of head h of sequence b, with the strides that the planner gave.
struct Content {
  float* at;
  int64_t stride;
};
Content content(const ConstView& x, int64_t b, int64_t h, int64_t c) {
  const auto& strides = x.strides();
  return {const_cast<float*>(static_cast<const float*>(x.raw())) + b * strides[0] + c * strides[1] +
              h * strides[2],
          strides[1]};
}

// x [B,T,H,D], rows [N,H,D] -> [B,H,T,S]
void position_scores(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  const Positions p(op, in[0].shape(), in[1].shape());
  const int64_t blocks = p.blocks();
  parallel_for(p.batch() * p.heads() * blocks, p.team(), [&](int64_t task, int) {
    const int64_t b = task / blocks / p.heads(), h = task / blocks % p.heads();
    const Block at = p.block(task % blocks);
    const auto room = p.room();
    const Content x = content(in[0], b, h, at.c0);
    kernels::MatmulArgs a;
    a.m = at.tokens(), a.n = at.rows(), a.k = p.width();
    a.a = x.at, a.lda = x.stride;
    a.b = in[1].data<float>() + at.n0 * p.row_stride() + h * p.width(), a.ldb = p.row_stride();
    a.transpose_b = true;
    a.c = room.get(), a.ldc = at.rows();
    launch(kernels::Matmul(a));
    float* z = out[0].data<float>() + p.scores(b, h);
    const float scale = p.scale();
    p.each(at, [&](int64_t cell, int64_t product) { z[cell] = scale * room[product]; });
  });
}

// What the cells of one block send back to its products: those of the same row are added up.
void gather(const Positions& p, const Block& at, const float* dz, float* room) {
  std::fill_n(room, at.tokens() * at.rows(), 0.0f);
  const float scale = p.scale();
  p.each(at, [&](int64_t cell, int64_t product) { room[product] += scale * dz[cell]; });
}

// dZ, rows, x (for its shape) -> dx
void content_gradient(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  const Positions p(op, in[2].shape(), in[1].shape());
  const int64_t blocks = p.blocks();
  parallel_for(p.batch() * p.heads() * blocks, p.team(), [&](int64_t task, int) {
    const int64_t b = task / blocks / p.heads(), h = task / blocks % p.heads();
    const Block at = p.block(task % blocks);
    const auto room = p.room();
    gather(p, at, in[0].data<float>() + p.scores(b, h), room.get());
    const Content dx = content(out[0], b, h, at.c0);
    kernels::MatmulArgs a;
    a.m = at.tokens(), a.n = p.width(), a.k = at.rows();
    a.a = room.get(), a.lda = at.rows();
    a.b = in[1].data<float>() + at.n0 * p.row_stride() + h * p.width(), a.ldb = p.row_stride();
    a.c = dx.at, a.ldc = dx.stride;
    launch(kernels::Matmul(a));
  });
}

bool all_finite(const ConstView& x) {
  const float* numbers = x.data<float>();
  return std::all_of(numbers, numbers + x.shape().count(), [](float n) { return std::isfinite(n); });
}

// dZ, x, rows (for their shape) -> drows; a head at a time, its sequences and blocks in order.
void rows_gradient(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  // Where nothing is sent back an infinity is not touched: the reference's way.
  if (!all_finite(in[1])) return op.run(in, out, context);
  const Positions p(op, in[1].shape(), in[2].shape());
  std::fill_n(out[0].data<float>(), out[0].shape().count(), 0.0f);
  parallel_for(p.heads(), p.team(), [&](int64_t h, int) {
    const auto room = p.room();
    for (int64_t b = 0; b < p.batch(); ++b)
      for (int64_t block = 0; block < p.blocks(); ++block) {
        const Block at = p.block(block);
        gather(p, at, in[0].data<float>() + p.scores(b, h), room.get());
        const Content x = content(in[1], b, h, at.c0);
        kernels::MatmulArgs a;
        a.m = at.rows(), a.n = p.width(), a.k = at.tokens();
        a.a = room.get(), a.lda = at.rows(), a.transpose_a = true;
        a.b = x.at, a.ldb = x.stride;
        a.c = out[0].data<float>() + at.n0 * p.row_stride() + h * p.width(), a.ldc = p.row_stride();
        a.accumulate = true;
        launch(kernels::Matmul(a));
      }
  });
}

}  // namespace

const std::map<std::string, StageKernel, std::less<>>& position_kernels() {
  static const std::map<std::string, StageKernel, std::less<>> table = {
      {"position_scores", position_scores},
      {"position_scores_content_gradient", content_gradient},
      {"position_scores_rows_gradient", rows_gradient},
  };
  return table;
}

}  // namespace limpid
