#include "kernels/narrow.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "kernels/test_helpers.h"
#include "limpid/tensor.h"

namespace limpid::kernels {
namespace {

using testing::on_every_isa;

constexpr float k_inf = std::numeric_limits<float>::infinity();

// What is special, then bits drawn at random: numbers of every magnitude, and NaNs.
std::vector<float> numbers(int64_t count, uint64_t seed) {
  const float special[] = {0.f,
                           -0.f,
                           1.f + 0x1p-8f,
                           1.f + 3 * 0x1p-8f,
                           -1.f - 0x1p-8f - 0x1p-20f,
                           k_inf,
                           -k_inf,
                           0x1.fffffep127f,
                           0x1p-149f,
                           0x1.fep127f,
                           0x1.8p-134f,
                           std::numeric_limits<float>::quiet_NaN()};
  testing::Draw draw(seed);
  std::vector<float> x(static_cast<size_t>(count));
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = i < std::size(special) ? special[i] : std::bit_cast<float>(static_cast<uint32_t>(draw.bits()));
  return x;
}

struct Rows {
  int64_t batch, rows, heads, width;
};
// Without gaps, and with each head's rows together.
HeadStrides by_rows(const Rows& s) { return {s.rows * s.heads * s.width, s.heads * s.width, s.width}; }
HeadStrides by_heads(const Rows& s) { return {s.rows * s.heads * s.width, s.width, s.rows * s.width}; }

TEST(Narrow, RoundsAsOneNumberIsRoundedAndComesBackExactly) {
  on_every_isa([](const std::string&) {
    for (const Rows& s :
         {Rows{1, 1, 1, 1}, Rows{1, 7, 1, 19}, Rows{2, 3, 5, 16}, Rows{3, 4, 2, 33}, Rows{1, 40, 3, 501}})
      for (const bool across : {false, true}) {
        const int64_t count = s.batch * s.rows * s.heads * s.width;
        const std::vector<float> x = numbers(count, 3 + static_cast<uint64_t>(s.width));
        std::vector<uint16_t> y(x.size() + 1, 77);
        std::vector<float> z(x.size() + 1, 7.f);
        const HeadStrides other = across ? by_heads(s) : by_rows(s);
        const Narrow there{false, x.data(), y.data(), by_rows(s), other, s.batch, s.rows, s.heads, s.width};
        const Narrow back{true, y.data(), z.data(), other, by_rows(s), s.batch, s.rows, s.heads, s.width};
        for (const Narrow& each : {there, back})
          for (int64_t task = 0; task < each.tasks(); ++task) each.run(task, nullptr);
        EXPECT_EQ(y.back(), 77);
        EXPECT_EQ(z.back(), 7.f);
        for (size_t i = 0; i < x.size(); ++i) {
          if (std::isnan(x[i]))
            ASSERT_TRUE(std::isnan(z[i]));
          else
            ASSERT_EQ(std::bit_cast<uint32_t>(z[i]), std::bit_cast<uint32_t>(to_float(to_bf16(x[i]))))
                << x[i];
        }
        if (!across || std::isnan(x.back())) continue;
        const auto at = static_cast<size_t>((s.batch - 1) * other.batch + (s.rows - 1) * other.row +
                                            (s.heads - 1) * other.head + s.width - 1);
        ASSERT_EQ(y[at], to_bf16(x.back()).bits);
      }
  });
}

}  // namespace
}  // namespace limpid::kernels
