#include <algorithm>

#include "trace/diff/variant_helpers.h"

namespace limpid::variants {

namespace {

// w [in..., out...] with the numbers of its transpose, where it is square.
void transpose(Tensor& w, int in_axes) {
  const Shape& shape = w.shape();
  const int64_t rows = shape.part(0, in_axes).count();
  if (rows == 0 || w.count() != rows * rows) fail_call("the matrix is not square");
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < i; ++j) std::swap(w.data<double>()[i * rows + j], w.data<double>()[j * rows + i]);
}

// Numbers [.., a, b] as [.., b, a] read in the order of the first: heads and their numbers interleaved.
void interleave(double* x, int64_t rows, int64_t a, int64_t b) {
  std::vector<double> row(static_cast<size_t>(a * b));
  for (int64_t r = 0; r < rows; ++r, x += a * b) {
    std::copy_n(x, a * b, row.begin());
    for (int64_t i = 0; i < a; ++i)
      for (int64_t j = 0; j < b; ++j) x[i * b + j] = row[static_cast<size_t>(j * a + i)];
  }
}

}  // namespace

List of_linear(const StageCall& c) {
  List out;
  const Shape& w = c.in[1]->shape();
  const bool transposed = c.options().flag("transposed");
  const int in_axes = static_cast<int>(c.options().integer("in_axes", 1));
  const int heads_in = in_axes == 2 ? 0 : -1,
            heads_out = !transposed && w.rank() - in_axes == 2 ? in_axes : -1;
  out.push_back(before("the matrix is transposed", 1, [=](Tensor& x, const StageCall& call) {
    transpose(x, transposed ? 1 : std::min(in_axes, call.in[1]->shape().rank()));
  }));
  if (c.in.size() > 2) {
    out.push_back({"the bias is left out", 0, [](const StageCall& call) {
                     return call.run(call.stage.operation->kind(), call.options(), {call.in[0], call.in[1]});
                   }});
    out.push_back(before("the bias is added twice", 2, [](Tensor& b, const StageCall&) {
      for (int64_t i = 0; i < b.count(); ++i) b.data<double>()[i] *= 2;
    }));
  }
  if (heads_out >= 0)
    out.push_back(after("the numbers of the heads are interleaved: [D,H] read as [H,D]",
                        [](Tensor& y, const StageCall&) {
                          const Shape& s = y.shape();
                          const int64_t h = s[s.rank() - 2].size, d = s[s.rank() - 1].size;
                          if (h * d > 0) interleave(y.data<double>(), y.count() / (h * d), h, d);
                        }));
  if (heads_in >= 0)
    out.push_back(before("heads are joined interleaved: [D,H] in place of [H,D]", 1,
                         [](Tensor& x, const StageCall& call) {
                           const Tensor& own = *call.in[1];
                           const int64_t h = own.shape()[0].size, d = own.shape()[1].size,
                                         width = own.count() / std::max<int64_t>(h * d, 1);
                           for (int64_t i = 0; i < h; ++i)
                             for (int64_t j = 0; j < d; ++j)
                               std::copy_n(own.data<double>() + (i * d + j) * width, width,
                                           x.data<double>() + (j * h + i) * width);
                         }));
  return out;
}

List of_embedding(const StageCall&) {
  List out;
  for (const int64_t ahead : {1, -1})
    out.push_back(before(join("token ids are ", ahead > 0 ? "one more" : "one less"), 0,
                         [ahead](Tensor& ids, const StageCall& c) {
                           const int64_t rows = c.in[1]->shape()[0].size;
                           for (int64_t i = 0; i < ids.count(); ++i)
                             ids.data<int64_t>()[i] = std::clamp<int64_t>(ids.data<int64_t>()[i] + ahead, 0,
                                                                          std::max<int64_t>(rows - 1, 0));
                         }));
  out.push_back(before("every id is 0", 0, [](Tensor& ids, const StageCall&) {
    std::fill_n(ids.data<int64_t>(), ids.count(), 0);
  }));
  return out;
}

List of_heads(const StageCall& c) {
  const int in_rank = c.in[0]->shape().rank(), out_rank = c.graph.value(c.stage.outputs[0]).shape.rank();
  List out;
  out.push_back(after("the numbers of the heads are interleaved: [D,H] in place of [H,D]",
                      [=](Tensor& y, const StageCall& call) {
                        const Shape& s = in_rank > out_rank ? call.in[0]->shape() : y.shape();
                        const int64_t h = s[s.rank() - 2].size, d = s[s.rank() - 1].size;
                        if (h * d > 0)
                          in_rank > out_rank ? interleave(y.data<double>(), y.count() / (h * d), d, h)
                                             : interleave(y.data<double>(), y.count() / (h * d), h, d);
                      }));
  return out;
}

}  // namespace limpid::variants
