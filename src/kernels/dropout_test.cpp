#include "kernels/dropout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/test_helpers.h"
#include "limpid/random.h"

namespace limpid::kernels {
namespace {

using testing::on_every_isa;

// Every instruction set drops what the generator says, at every length of the tail, far along a stream too.
TEST(Dropout, DropsWhatTheGeneratorSays) {
  on_every_isa([](const std::string&) {
    testing::Draw draw(3);
    for (const int64_t count : {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 127, 1000, (1 << 14) + 3})
      for (const double rate : {0.0, 0.1, 0.5, 1 - 0x1p-40}) {
        const int64_t first =
            draw.whole(0, 1) * draw.whole(0, 999) + draw.whole(0, 1) * ((int64_t{1} << 34) - 500);
        std::vector<float> x = draw.reals(count), y(x.size() + 1, 7.f);
        x[0] = -0.25f;
        Dropout d{x.data(),           y.data(), first, count, rate, static_cast<float>(1 / (1 - rate)),
                  0x123456789abcdefu, 77,       5};
        for (int64_t task = 0; task < d.tasks(); ++task) d.run(task, nullptr);
        for (int64_t i = 0; i < count; ++i) {
          const auto at = static_cast<size_t>(i);
          const bool kept = uniform(d.seed, d.stream, d.step, static_cast<uint64_t>(first + i)) >= rate;
          const float expected = kept ? x[at] * d.factor : std::copysign(0.f, x[at]);
          ASSERT_EQ(y[at], expected) << i << " of " << count << ", rate " << rate;
          ASSERT_EQ(std::signbit(y[at]), std::signbit(expected));
        }
        ASSERT_EQ(y.back(), 7.f);
      }
  });
}

}  // namespace
}  // namespace limpid::kernels
