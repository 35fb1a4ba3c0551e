#include "draw/layout/value_inputs.h"

#include <algorithm>

namespace limpid::draw {

namespace {

// An array of the shape that holds ones and takes no room: all its strides are zero.  Unknown sizes are 2;
// those above `most` are made `most`.
ConstView ones(const Value& value, int64_t most) {
  static const float real = 1;
  static const int64_t whole = 1;
  static const bool yes = true;
  Shape shape = value.shape;
  for (int i = 0; i < shape.rank(); ++i)
    shape[i].size = shape[i].size == k_symbolic ? 2 : std::min(shape[i].size, most);
  const void* number = value.dtype == DType::i64       ? static_cast<const void*>(&whole)
                       : value.dtype == DType::boolean ? static_cast<const void*>(&yes)
                                                       : static_cast<const void*>(&real);
  const DType dtype = value.dtype == DType::i64 || value.dtype == DType::boolean ? value.dtype : DType::f32;
  return {dtype, shape, std::vector<int64_t>(static_cast<size_t>(shape.rank()), 0), number};
}

// Some cell of the shape, another for each `draw`.
Index some_cell(const Shape& shape, size_t draw) {
  Index index;
  for (int i = 0; i < shape.rank(); ++i) {
    index.push_back(shape[i].size > 0 ? static_cast<int64_t>(draw) % shape[i].size : 0);
    draw = draw * 5 + 3;
  }
  return index;
}

// Marks the inputs that the stage reads for some cells of its main output.  A random operation may read
// nothing for one cell, so several are asked.
void mark(const StageInfo& stage, const std::vector<ConstView>& in, const Shape& out,
          std::vector<bool>& read) {
  for (size_t draw = 0; draw < 16; ++draw) {
    const Expr why = stage.operation->explain(in, {0, some_cell(out, draw)}, {});
    for (const Expr* cell : why.cells()) read[static_cast<size_t>(cell->input())] = true;
    if (std::find(read.begin(), read.end(), false) == read.end()) return;
  }
}

std::vector<bool> reads(const Graph& graph, const StageInfo& stage, int64_t most) {
  std::vector<bool> read(stage.inputs.size(), false);
  std::vector<ConstView> in;
  std::vector<Shape> shapes;
  for (int id : stage.inputs) {
    in.push_back(ones(graph.value(id), most));
    shapes.push_back(in.back().shape());
  }
  mark(stage, in, stage.operation->shape(shapes).at(0).shape, read);
  return read;
}

constexpr double k_most_numbers = 1 << 28;

double numbers_of(const Graph& graph, const StageInfo& stage, int64_t most) {
  double largest = 1;
  for (int id : stage.inputs) {
    double count = 1;
    const Shape shape = ones(graph.value(id), most).shape();
    for (const Dim& dim : shape) count *= static_cast<double>(dim.size);
    largest = std::max(largest, count);
  }
  return largest;
}

}  // namespace

std::vector<bool> reads(const Graph& graph, const StageInfo& stage) {
  // In small first: the answer does not depend on sizes, but some operations insist on theirs.  An
  // explanation has a term for each number it adds up, so sizes that no operation is asked for in earnest are
  // not tried.
  for (int64_t most : {int64_t{2}, int64_t{1} << 16}) {
    try {
      if (most > 2 && numbers_of(graph, stage, most) > k_most_numbers) break;
      return reads(graph, stage, most);
    } catch (const std::exception&) {
      continue;
    }
  }
  return std::vector<bool>(stage.inputs.size(), true);
}

}  // namespace limpid::draw
