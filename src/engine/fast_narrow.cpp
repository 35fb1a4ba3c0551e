// Kernels of what is kept in fewer bits.
#include "engine/fast.h"
#include "kernels/kernel.h"
#include "kernels/narrow.h"

namespace limpid {

namespace {

using kernels::HeadStrides;
using kernels::launch;

// Without gaps, whatever the shape: long rows, and what is left of them.
void launch_flat(kernels::Narrow k, int64_t count) {
  constexpr int64_t k_row = 1024;
  const auto* from = static_cast<const std::byte*>(k.from);
  auto* to = static_cast<std::byte*>(k.to);
  const int64_t whole = count / k_row, read = k.back ? 2 : 4, written = k.back ? 4 : 2;
  k.batch = k.heads = 1;
  k.rows = whole, k.width = k_row;
  k.from_at = k.to_at = {0, k_row, 0};
  launch(k);
  k.rows = 1, k.width = count - whole * k_row;
  k.from = from + whole * k_row * read;
  k.to = to + whole * k_row * written;
  launch(k);
}

template <bool k_back>
void narrow(const Operation&, Inputs in, Outputs out, const RunContext&) {
  kernels::Narrow k;
  k.back = k_back;
  k.from = in[0].raw();
  k.to = out[0].raw();
  if (in[0].contiguous() && out[0].contiguous()) return launch_flat(k, in[0].shape().count());
  const Shape& shape = in[0].shape();  // [B,T,H,D] with each head's rows together, here or there
  k.batch = shape[0].size, k.rows = shape[1].size, k.heads = shape[2].size, k.width = shape[3].size;
  const auto at = [](const std::vector<int64_t>& s) -> HeadStrides { return {s[0], s[1], s[2]}; };
  k.from_at = at(in[0].strides());
  k.to_at = at(out[0].strides());
  launch(k);
}

}  // namespace

const std::map<std::string, StageKernel, std::less<>>& narrow_kernels() {
  static const std::map<std::string, StageKernel, std::less<>> table = {{"narrow", narrow<false>},
                                                                        {"widen", narrow<true>}};
  return table;
}

}  // namespace limpid
