#include "kernels/cache.h"

#include <gtest/gtest.h>

#include <bit>

#include "kernels/test_cache.h"
#include "limpid/error.h"

namespace limpid::kernels {
namespace {

using testing::Draw;
using testing::on_every_isa;
using testing::TestCache;

constexpr DType k_types[] = {DType::f32, DType::bf16, DType::f16, DType::i8};

// What is written is what converting each number by itself gives, to the bit, and nothing else changes.
TEST(CacheWrite, ConvertsEachNumber) {
  on_every_isa([](const std::string&) {
    Draw draw(31);
    for (DType type : k_types) {
      for (int round = 0; round < 12; ++round) {
        const int64_t capacity = draw.whole(1, 20), rows = draw.whole(0, capacity), batch = draw.whole(1, 3),
                      heads = draw.whole(1, 3), width = draw.whole(1, 50),
                      page_keys = round % 2 ? draw.whole(1, 9) : 0;
        TestCache written(draw, type, batch, capacity, heads, width, page_keys), expected = written;
        std::vector<float> from = draw.reals(batch * rows * heads * width, -3, 3);
        if (round == 3) std::fill(from.begin(), from.end(), 0.f);
        std::vector<int64_t> at;
        for (int64_t b = 0; b < batch; ++b)
          at.push_back(draw.whole(0, round % 3 ? capacity - rows : capacity - 1));
        CacheWrite write;
        write.to = written.cache();
        write.from = from.data(), write.from_at = {rows * heads * width, heads * width, width};
        write.batch = batch, write.rows = rows, write.heads = heads, write.width = width;
        write.capacity = capacity, write.write_indices = at.data(), write.circular = round % 3 == 0;
        launch(write);
        for (int64_t r = 0; r < batch * rows * heads; ++r) {
          const int64_t b = r / heads / rows, s = (at[static_cast<size_t>(b)] + r / heads % rows) % capacity;
          expected.put(b, s, r % heads, from.data() + r * width);
        }
        EXPECT_TRUE(written.bytes() == expected.bytes()) << name(type) << " round " << round;
        EXPECT_TRUE(testing::same_bits(written.scales(), expected.scales())) << name(type);
      }
    }
  });
}

// Rounding at its edges, infinities, and NaN of any payload.
TEST(CacheWrite, SixteenBitsAreThoseOfOneNumber) {
  on_every_isa([](const std::string&) {
    std::vector<float> from = {0.f,     -0.f, 1e-45f,  -3e-39f,  65504.f,
                               65520.f, 7e4f, 3.4e38f, INFINITY, -INFINITY};
    Draw draw(32);
    while (from.size() < 4096) {
      const auto bits = static_cast<uint32_t>(draw.bits());
      from.push_back(std::bit_cast<float>(draw.whole(0, 3) ? bits : bits | 0x7f800000u));  // NaN
    }
    const auto width = static_cast<int64_t>(from.size());
    for (DType type : {DType::bf16, DType::f16}) {
      std::vector<uint16_t> to(from.size());
      CacheWrite write;
      write.to.type = type, write.to.data = to.data();
      write.from = from.data();
      write.batch = write.rows = write.heads = write.capacity = 1, write.width = width;
      launch(write);
      for (size_t i = 0; i < from.size(); ++i) {
        const bool half = type == DType::f16;
        const float got = half ? to_float(f16{to[i]}) : to_float(bf16{to[i]});
        if (std::isnan(from[i])) {
          EXPECT_TRUE(std::isnan(got)) << from[i];
        } else {
          EXPECT_EQ(to[i], half ? to_f16(from[i]).bits : to_bf16(from[i]).bits) << from[i];
        }
      }
    }
  });
}

// i8: within half a step of the row's largest magnitude / 127; a row that is not finite is NaN.
TEST(CacheWrite, IntegersWithAScale) {
  on_every_isa([](const std::string&) {
    Draw draw(33);
    const int64_t rows = 40, width = 37;
    std::vector<float> from = draw.reals(rows * width, -5, 5);
    from[3 * width + 36] = NAN;
    from[4 * width + 1] = INFINITY;
    from[5 * width + 2] = -INFINITY;
    std::fill_n(from.begin() + 6 * width, width, 0.f);
    TestCache cache(draw, DType::i8, 1, rows, 1, width, 0);
    CacheWrite write;
    write.to = cache.cache();
    write.from = from.data(), write.from_at = {0, width, 0};
    write.batch = write.heads = 1, write.rows = write.capacity = rows, write.width = width;
    launch(write);
    for (int64_t r = 0; r < rows; ++r) {
      const float* row = from.data() + r * width;
      float most = 0;
      for (int64_t d = 0; d < width; ++d) most = std::max(most, std::abs(row[d]));
      for (int64_t d = 0; d < width; ++d) {
        const double got = cache.number(0, r, 0, d);
        if (r >= 3 && r <= 5) {
          EXPECT_TRUE(std::isnan(got)) << r;
        } else {
          EXPECT_NEAR(got, row[d], most / 127 * 0.5001) << r;
        }
      }
    }
  });
}

}  // namespace
}  // namespace limpid::kernels
