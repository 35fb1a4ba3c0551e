// tile: a part of one head's scores or weights, by blocks of cells, from single exact cells to the whole
// text.
#include <algorithm>
#include <cmath>

#include "core/label.h"
#include "core/threads.h"
#include "explore/attentions.h"
#include "explore/maps.h"
#include "explore/state.h"
#include "explore/stored.h"

namespace limpid::explore {

namespace {

constexpr int64_t k_most_strip = 1 << 18;  // cells that are rebuilt at a time

struct TileCall {
  std::string stage;
  int64_t head = 0, batch = 0;
  Span queries, keys;
  int64_t size = 0;  // blocks a side, at most
};

std::vector<int64_t> edges_of(Span span, int64_t size) {
  const int64_t count = std::min(size, span.size());
  std::vector<int64_t> out;
  for (int64_t i = 0; i <= count; ++i) out.push_back(span.first + span.size() * i / count);
  return out;
}

Tensor room_for(const std::vector<int64_t>& rows, const std::vector<int64_t>& columns) {
  return Tensor(DType::f32, {{Axis::T, static_cast<int64_t>(rows.size()) - 1},
                             {Axis::S, static_cast<int64_t>(columns.size()) - 1}});
}

// Sums over the cells of a row of blocks that are not -inf, and how many they are.
class BlockRow {
 public:
  /// `may_hide`: some cells may be -inf, which do not count.
  BlockRow(const std::vector<int64_t>& columns, bool may_hide)
      : may_hide_(may_hide), columns_(columns), sums_(columns.size() - 1), counts_(sums_.size()) {}

  void add(const Tensor& cells) {
    const int64_t rows = cells.shape()[1].size, keys = cells.shape()[2].size;
    const float* cell = cells.data<float>();
    for (int64_t t = 0; t < rows; ++t, cell += keys)
      for (size_t c = 0; c + 1 < columns_.size(); ++c)
        add(c, cell + columns_[c] - columns_[0], columns_[c + 1] - columns_[c]);
  }
  void write(float* to) const {
    for (size_t c = 0; c < sums_.size(); ++c)
      to[c] = counts_[c] == 0 ? -INFINITY : static_cast<float>(sums_[c] / static_cast<double>(counts_[c]));
  }

 private:
  void add(size_t column, const float* cells, int64_t count) {
    if (!may_hide_) {  // four sums beside each other, or each addition waits for the one before it
      double sums[4] = {};
      int64_t i = 0;
      for (; i + 4 <= count; i += 4)
        for (int64_t k = 0; k < 4; ++k) sums[k] += static_cast<double>(cells[i + k]);
      for (; i < count; ++i) sums[0] += static_cast<double>(cells[i]);
      sums_[column] += (sums[0] + sums[1]) + (sums[2] + sums[3]);
      counts_[column] += count;
      return;
    }
    double sum = 0;
    int64_t seen = 0;
    for (int64_t i = 0; i < count; ++i) {
      const bool hidden = cells[i] == -INFINITY;
      sum += hidden ? 0 : static_cast<double>(cells[i]);
      seen += !hidden;
    }
    sums_[column] += sum;
    counts_[column] += seen;
  }

  bool may_hide_;
  const std::vector<int64_t>& columns_;
  std::vector<double> sums_;
  std::vector<int64_t> counts_;
};

void tile_of_cells(State& state, const SquareCells& cells, const TileCall& call, Answer& answer) {
  const std::vector<int64_t> rows = edges_of(call.queries, call.size),
                             columns = edges_of(call.keys, call.size);
  Tensor out = room_for(rows, columns);
  const int64_t width = out.shape()[1].size, strip = std::max<int64_t>(1, k_most_strip / call.keys.size());
  state.host.check();
  parallel_for(out.shape()[0].size, [&](int64_t r, int) {
    BlockRow row(columns, call.stage == "scores");
    const int64_t end = rows[static_cast<size_t>(r) + 1];
    for (int64_t t = rows[static_cast<size_t>(r)]; t < end; t += strip)
      row.add(cells.window({call.head, call.head + 1}, {t, std::min(t + strip, end)}, call.keys, call.batch));
    row.write(out.data<float>() + r * width);
  });
  answer.fields["from"] = "cells";
  answer.add("query_edges", rows);
  answer.add("key_edges", columns);
  answer.add("cells", std::move(out));
}

// ---- from the map ----------------------------------------------------------------------------------

// The blocks of the map that a span meets, so many together that at most `size` are left.
struct BlockSpan {
  Span blocks;
  int64_t times = 1;
};
BlockSpan blocks_of(Span span, int64_t block, int64_t size) {
  BlockSpan out;
  out.blocks = {span.first / block, (span.end + block - 1) / block};
  out.times = (out.blocks.size() + size - 1) / size;
  out.blocks.first -= out.blocks.first % out.times;
  return out;
}

std::vector<int64_t> edges_of(const BlockSpan& span, int64_t block, int64_t length) {
  std::vector<int64_t> out;
  for (int64_t i = span.blocks.first; i < span.blocks.end; i += span.times) out.push_back(i * block);
  out.push_back(
      std::min(length, (span.blocks.first + static_cast<int64_t>(out.size()) * span.times) * block));
  return out;
}

void tile_of_map(const Map& map, const TileCall& call, Answer& answer) {
  const BlockSpan rows = blocks_of(call.queries, map.queries, call.size),
                  columns = blocks_of(call.keys, map.keys, call.size);
  const std::vector<int64_t> row_edges = edges_of(rows, map.queries, map.weights[2].size),
                             column_edges = edges_of(columns, map.keys, map.weights[3].size);
  Tensor out = room_for(row_edges, column_edges);
  const Tensor all = coarser(map, call.head, rows.times, columns.times);
  const ConstView part = std::as_const(all)
                             .view()
                             .window(0, rows.blocks.first / rows.times, out.shape()[0].size)
                             .window(1, columns.blocks.first / columns.times, out.shape()[1].size);
  copy(part, out.view());
  answer.fields["from"] = "map";
  answer.add("query_edges", row_edges);
  answer.add("key_edges", column_edges);
  answer.add("cells", std::move(out));
}

}  // namespace

void ask_tile(State& state, Request& request, Answer& answer) {
  const std::string name = request.text("attention");
  TileCall call;
  call.stage = request.text_or("stage", "pattern");
  call.size = request.integer_or("size", 128, 1, 512);
  call.batch = batch_of(request, state);
  const bool unedited = request.flag("unedited");
  Run& run = state.runs.of(unedited ? state.opened.unedited() : state.opened);
  const Attention attention = attention_named(run.graph(), name);
  const std::string& pattern = run.graph().value(attention.pattern).name;
  const Shape weights = run.read({{pattern, Depth::shape}}).summaries.at(pattern).shape;
  call.head = place_of(request, "head", 0, attention.heads);
  call.queries = request.span("queries", weights[2].size);
  call.keys = request.span("keys", weights[3].size);
  asked_run(state, request, answer);
  answer.fields["attention"] = attention.name;
  answer.fields["stage"] = call.stage;
  answer.fields["head"] = call.head;
  const bool few = call.queries.size() <= k_most_cells / call.keys.size();
  const bool map_alone =
      run.stored() && call.stage == "pattern" && held(*run.stored(), pattern) == Held::streamed;
  if (few && !map_alone) return tile_of_cells(state, SquareCells(run, attention, call.stage), call, answer);
  if (call.stage != "pattern")
    fail_call("tile: ", call.queries.size(), " x ", call.keys.size(), " cells of ", call.stage, ", at most ",
              k_most_cells, " are rebuilt; ask for a smaller part, or for the pattern, which has a map");
  Map map = map_of(run, attention, 512);
  map.batch = call.batch;
  tile_of_map(map, call, answer);
}

}  // namespace limpid::explore
