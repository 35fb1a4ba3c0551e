#include "kernels/rows.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "kernels/norm.h"
#include "kernels/optimizer.h"
#include "kernels/softmax.h"
#include "kernels/test_helpers.h"
#include "limpid/error.h"

namespace limpid::kernels {
namespace {

using testing::at_any_threads;
using testing::Draw;
using testing::on_every_isa;
using testing::same_bits;

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();
constexpr float k_inf = std::numeric_limits<float>::infinity();
constexpr int64_t k_widths[] = {1, 2, 7, 8, 15, 16, 17, 32, 33, 63, 64, 65, 192, 300};

size_t at(int64_t i) { return static_cast<size_t>(i); }

struct NormRun {
  std::vector<float> y, scale, dx, dw, db;
  std::vector<float> all() const {
    std::vector<float> joined = y;
    for (const auto* part : {&scale, &dx, &dw, &db}) joined.insert(joined.end(), part->begin(), part->end());
    return joined;
  }
};

struct NormCase {
  Norm norm;
  int64_t rows, width;
  bool gain, bias;
  std::vector<float> x, w, b, dy;

  NormCase(Draw& draw, int64_t r, int64_t c)
      : norm(draw.whole(0, 1) ? Norm::layer : Norm::rms),
        rows(r),
        width(c),
        gain(draw.whole(0, 1)),
        bias(draw.whole(0, 1)) {
    x = draw.reals(r * c, -2, 3), w = draw.reals(c), b = draw.reals(c), dy = draw.reals(r * c);
  }

  NormRun run() const {
    NormRun r{std::vector<float>(x.size()), std::vector<float>(at(rows)), std::vector<float>(x.size()),
              std::vector<float>(at(width), 9), std::vector<float>(at(width), 9)};
    NormForward f{
        norm, x.data(), gain ? w.data() : nullptr, bias ? b.data() : nullptr, r.y.data(), r.scale.data(),
        rows, width};
    launch(f);
    NormGradient g{norm, x.data(), dy.data(), r.scale.data(), gain ? w.data() : nullptr, r.dx.data()};
    g.rows = rows, g.width = width;
    norm_gradient(g, r.dw.data(), r.db.data());
    return r;
  }

  void expect_right(const NormRun& got) const {
    const double n = static_cast<double>(width);
    std::vector<double> dw(at(width)), db(at(width));
    for (int64_t r = 0; r < rows; ++r) {
      double mean = 0, squares = 0, mean_g = 0, mean_gn = 0;
      for (int64_t i = 0; i < width; ++i) mean += norm == Norm::rms ? 0 : x[at(r * width + i)] / n;
      for (int64_t i = 0; i < width; ++i) squares += std::pow(x[at(r * width + i)] - mean, 2) / n;
      const double scale = std::sqrt(squares + 1e-5);
      const auto unit = [&](int64_t i) { return (x[at(r * width + i)] - mean) / scale; };
      const auto g = [&](int64_t i) { return dy[at(r * width + i)] * (gain ? w[at(i)] : 1.0); };
      for (int64_t i = 0; i < width; ++i)
        mean_g += norm == Norm::rms ? 0 : g(i) / n, mean_gn += g(i) * unit(i) / n;
      // A row that is nearly constant magnifies the rounding of x - mean by 1 / scale.
      const double tight = 1e-6 * (4 + 6 / scale);
      ASSERT_NEAR(got.scale[at(r)], scale, 2e-6 * scale + 1e-6);
      for (int64_t i = 0; i < width; ++i) {
        const double want = unit(i) * (gain ? w[at(i)] : 1) + (bias ? b[at(i)] : 0);
        ASSERT_NEAR(got.y[at(r * width + i)], want, tight) << "row " << r << " column " << i;
        ASSERT_NEAR(got.dx[at(r * width + i)], (g(i) - mean_g - unit(i) * mean_gn) / scale,
                    8 * tight / scale);
        dw[at(i)] += dy[at(r * width + i)] * unit(i);
        db[at(i)] += dy[at(r * width + i)];
      }
    }
    for (int64_t i = 0; i < width && width > 1; ++i) {
      ASSERT_NEAR(got.dw[at(i)], dw[at(i)], 2e-5 * static_cast<double>(rows) + 1e-6);
      ASSERT_NEAR(got.db[at(i)], db[at(i)], 1e-6 * static_cast<double>(rows) + 1e-6);
    }
  }
};

TEST(Norm, EveryWidth) {
  on_every_isa([](const std::string&) {
    Draw draw(31);
    for (int64_t width : k_widths) {
      for (int64_t rows : {1, 31, 33, 100}) {
        NormCase c(draw, rows, width);
        SCOPED_TRACE(join(rows, " rows of ", width));
        c.expect_right(c.run());
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
    NormCase c(draw, 500, 192);
    at_any_threads([&] { return c.run().all(); });
  });
}

// A residual is added to dx and to nothing else.
TEST(Norm, GradientAndResidual) {
  on_every_isa([](const std::string&) {
    Draw draw(36);
    for (int64_t width : k_widths) {
      NormCase c(draw, 40, width);
      NormRun want = c.run(), got = want;
      const std::vector<float> residual = draw.reals(40 * width);
      for (size_t i = 0; i < residual.size(); ++i) want.dx[i] += residual[i];
      got.dx.assign(residual.size(), k_nan);
      NormGradient g{c.norm,       c.x.data(), c.dy.data(), want.scale.data(), c.gain ? c.w.data() : nullptr,
                     got.dx.data()};
      g.rows = 40, g.width = width, g.residual = residual.data();
      norm_gradient(g, got.dw.data(), got.db.data());
      EXPECT_TRUE(same_bits(got.all(), want.all())) << width;
    }
  });
}

TEST(Norm, RowAloneHasTheSameBitsAndNaNStays) {
  on_every_isa([](const std::string&) {
    Draw draw(32);
    for (int round = 0; round < 6; ++round) {
      NormCase c(draw, 50, 67), one = c;
      const NormRun all = c.run();
      one.rows = 1;
      one.x.assign(c.x.begin() + 37 * 67, c.x.begin() + 38 * 67);
      one.dy.assign(c.dy.begin() + 37 * 67, c.dy.begin() + 38 * 67);
      EXPECT_TRUE(same_bits(one.run().y.data(), &all.y[37 * 67], 67));
      EXPECT_TRUE(same_bits(one.run().dx.data(), &all.dx[37 * 67], 67));
      c.x[36 * 67 + 5] = k_nan;
      const NormRun nan = c.run();
      EXPECT_TRUE(same_bits(&nan.y[37 * 67], &all.y[37 * 67], 13 * 67));
      EXPECT_TRUE(std::isnan(nan.y[36 * 67 + 66]));
    }
  });
}

TEST(Softmax, EveryWidth) {
  on_every_isa([](const std::string&) {
    Draw draw(33);
    for (int64_t width : k_widths) {
      for (int64_t rows : {1, 5, 40}) {
        for (bool log : {false, true}) {
          const float size = draw.whole(0, 1) ? 3.f : 60.f;
          std::vector<float> x = draw.reals(rows * width, -size, size), dy = draw.reals(rows * width);
          if (!log) x[at(draw.whole(0, rows * width - 1))] = -k_inf;
          std::vector<float> y(x.size()), dx(x.size()), lse(at(rows));
          at_any_threads([&] {
            launch(Softmax{x.data(), y.data(), lse.data(), rows, width, log});
            launch(SoftmaxGradient{y.data(), dy.data(), dx.data(), rows, width, log});
            return dx;
          });
          for (int64_t r = 0; r < rows; ++r) {
            double top = -INFINITY, total = 0, sum = 0;
            for (int64_t i = 0; i < width; ++i) top = std::max<double>(top, x[at(r * width + i)]);
            if (top == -INFINITY) continue;
            for (int64_t i = 0; i < width; ++i) total += std::exp(x[at(r * width + i)] - top);
            const double want_lse = top + std::log(total);
            ASSERT_NEAR(lse[at(r)], want_lse, 1e-6 * (2 + std::abs(want_lse)));
            for (int64_t i = 0; i < width; ++i) {
              const double p = std::exp(x[at(r * width + i)] - want_lse), d = dy[at(r * width + i)];
              sum += log ? d : d * p;
            }
            for (int64_t i = 0; i < width; ++i) {
              const double p = std::exp(x[at(r * width + i)] - want_lse), d = dy[at(r * width + i)];
              const double want = log ? x[at(r * width + i)] - want_lse : p;
              ASSERT_NEAR(y[at(r * width + i)], want,
                          log ? 2e-5 : (2e-6 + 2e-7 * std::abs(std::log(p + 1e-300))) * p + 1e-37)
                  << width;
              ASSERT_NEAR(dx[at(r * width + i)], log ? d - p * sum : p * (d - sum), 3e-5) << width;
            }
          }
        }
      }
    }
  });
}

TEST(Softmax, Extremes) {
  on_every_isa([](const std::string&) {
    std::vector<float> x(5 * 21, -k_inf), y(x.size()), lse(5);
    x[21 + 3] = 1e30f;                                                 // all weight on one
    for (int i = 0; i < 21; ++i) x[42 + at(i)] = i == 20 ? k_nan : 1;  // NaN in the tail
    for (int i = 0; i < 21; ++i) x[63 + at(i)] = i == 0 ? k_nan : 1;   // and first
    for (int i = 0; i < 21; ++i) x[84 + at(i)] = -1e4f;
    launch(Softmax{x.data(), y.data(), lse.data(), 5, 21});
    for (size_t i = 0; i < 21; ++i) {
      EXPECT_EQ(y[i], 0.f);
      EXPECT_EQ(y[21 + i], i == 3 ? 1.f : 0.f);
      EXPECT_TRUE(std::isnan(y[42 + i]));
      EXPECT_TRUE(std::isnan(y[63 + i]));
      EXPECT_NEAR(y[84 + i], 1 / 21.0, 1e-7);
    }
    EXPECT_EQ(lse[0], -k_inf);
    EXPECT_TRUE(std::isnan(lse[2]) && std::isnan(lse[3]));
  });
}

TEST(CrossEntropy, AgainstItsMeaning) {
  on_every_isa([](const std::string&) {
    Draw draw(34);
    for (int64_t width : {1, 3, 16, 65, 2048}) {
      const int64_t rows = 37;
      std::vector<float> x = draw.reals(rows * width, -8, 8);
      std::vector<int64_t> targets;
      for (int64_t r = 0; r < rows; ++r) targets.push_back(draw.whole(-1, width - 1));
      std::vector<float> loss(at(rows)), largest(at(rows)), sum(at(rows)), hit(at(rows)), dx(x.size());
      at_any_threads([&] {
        launch(CrossEntropy{x.data(), targets.data(), loss.data(), largest.data(), sum.data(), hit.data(),
                            rows, width});
        launch(CrossEntropyGradient{x.data(), targets.data(), largest.data(), sum.data(), dx.data(), 0.25f,
                                    rows, width});
        return dx;
      });
      for (int64_t r = 0; r < rows; ++r) {
        const float* row = &x[at(r * width)];
        double total = 0;
        float top = row[0];
        for (int64_t i = 0; i < width; ++i)
          total += std::exp(static_cast<double>(row[i])), top = std::max(top, row[i]);
        const int64_t target = targets[at(r)];
        const double want = target < 0 ? 0 : std::log(total) - row[target];
        ASSERT_NEAR(loss[at(r)], want, 2e-6 * (1 + std::abs(std::log(total))));
        ASSERT_EQ(hit[at(r)], target >= 0 && row[target] == top ? 1.f : 0.f);
        for (int64_t i = 0; i < width; ++i) {
          const double p = std::exp(static_cast<double>(row[i])) / total;
          ASSERT_NEAR(dx[at(r * width + i)], target < 0 ? 0 : 0.25 * (p - (i == target)), 1e-6)
              << r << " " << i;
        }
      }
    }
  });
}

TEST(CrossEntropy, SmoothedAgainstItsMeaning) {
  on_every_isa([](const std::string&) {
    Draw draw(36);
    const double e = 0.1;
    for (int64_t width : {1, 3, 16, 65, 2048}) {
      const int64_t rows = 9;
      const std::vector<float> x = draw.reals(rows * width, -8, 8);
      std::vector<int64_t> targets;
      for (int64_t r = 0; r < rows; ++r) targets.push_back(draw.whole(-1, width - 1));
      std::vector<float> loss(at(rows)), largest(at(rows)), sum(at(rows)), dx(x.size());
      CrossEntropy forward{x.data(),   targets.data(), loss.data(), largest.data(),
                           sum.data(), nullptr,        rows,        width};
      forward.smoothing = e;
      CrossEntropyGradient back{x.data(),  targets.data(), largest.data(), sum.data(),
                                dx.data(), 0.25f,          rows,           width};
      back.smoothing = e;
      at_any_threads([&] {
        launch(forward);
        launch(back);
        return dx;
      });
      for (int64_t r = 0; r < rows; ++r) {
        const float* row = &x[at(r * width)];
        double total = 0, mean = 0;
        for (int64_t i = 0; i < width; ++i) {
          total += std::exp(static_cast<double>(row[i]));
          mean += row[i] / static_cast<double>(width);
        }
        const int64_t target = targets[at(r)];
        const double want = target < 0 ? 0 : std::log(total) - (1 - e) * row[target] - e * mean;
        ASSERT_NEAR(loss[at(r)], want, 4e-6 * (1 + std::abs(std::log(total))));
        for (int64_t i = 0; i < width; ++i) {
          const double p = std::exp(static_cast<double>(row[i])) / total;
          const double share = (1 - e) * static_cast<double>(i == target) + e / static_cast<double>(width);
          ASSERT_NEAR(dx[at(r * width + i)], target < 0 ? 0 : 0.25 * (p - share), 1e-6) << r << " " << i;
        }
      }
    }
  });
}

TEST(ColumnSums, AgainstItsMeaning) {
  on_every_isa([](const std::string&) {
    Draw draw(35);
    for (int64_t width : k_widths) {
      for (int64_t rows : {0, 1, 63, 64, 65, 1000}) {
        const int64_t stride = width + draw.whole(0, 3);
        const std::vector<float> x = draw.reals(rows * stride + 1), start = draw.reals(width);
        const bool accumulate = draw.whole(0, 1);
        const std::vector<float> got = at_any_threads([&] {
          std::vector<float> sums = start;
          launch(ColumnSums{x.data(), sums.data(), rows, width, stride, accumulate});
          return sums;
        });
        for (int64_t i = 0; i < width; ++i) {
          double want = accumulate ? start[at(i)] : 0;
          for (int64_t r = 0; r < rows; ++r) want += x[at(r * stride + i)];
          ASSERT_NEAR(got[at(i)], want, 6e-8 * 80 * std::sqrt(static_cast<double>(rows) + 1));
        }
      }
    }
  });
}

TEST(Gather, AndItsGradient) {
  on_every_isa([](const std::string&) {
    Draw draw(36);
    for (int64_t width : {1, 16, 63, 65, 192}) {
      const int64_t rows = 210, entries = 13;
      std::vector<int64_t> ids;
      for (int64_t r = 0; r < rows; ++r)
        ids.push_back(draw.whole(0, entries - 2));  // the last one is not read
      const std::vector<float> table = draw.reals(entries * width), dy = draw.reals(rows * width);
      std::vector<float> y(at(rows * width));
      launch(Gather{table.data(), ids.data(), y.data(), rows, width});
      const std::vector<float> got = at_any_threads([&] {
        std::vector<float> sums(table.size(), k_nan);
        GatherGradient k;
        k.dy = dy.data(), k.table = sums.data();
        k.rows = rows, k.width = width, k.entries = entries;
        gather_gradient(k, ids.data());
        return sums;
      });
      std::vector<float> want(table.size());  // the same additions in the same order: the same bits
      for (int64_t r = 0; r < rows; ++r) {
        EXPECT_TRUE(same_bits(&y[at(r * width)], &table[at(ids[at(r)] * width)], width));
        for (int64_t i = 0; i < width; ++i) want[at(ids[at(r)] * width + i)] += dy[at(r * width + i)];
      }
      EXPECT_TRUE(same_bits(got, want));
    }
  });
}

TEST(Rotary, TurnsEachPairAndBack) {
  on_every_isa([](const std::string&) {
    Draw draw(37);
    for (int round = 0; round < 30; ++round) {
      Rotary a;
      a.batch = draw.whole(1, 2), a.rows = draw.whole(1, 40), a.heads = draw.whole(1, 3);
      a.pairs = draw.whole(1, 20), a.width = 2 * a.pairs + draw.whole(0, 2);
      a.interleaved = draw.whole(0, 1);
      a.first = draw.whole(0, 3);
      std::vector<int64_t> positions;
      for (int64_t i = 0; i < a.batch * a.rows; ++i) positions.push_back(draw.whole(0, 43));
      if (draw.whole(0, 1)) a.positions = positions.data();
      std::vector<float> cos, sin;
      for (int64_t i = 0; i < 44 * a.pairs; ++i) {
        const float angle = draw.real(-3, 3);
        cos.push_back(std::cos(angle)), sin.push_back(std::sin(angle));
      }
      a.cos = cos.data(), a.sin = sin.data();
      a.x_at = a.y_at = {a.rows * a.heads * a.width, a.heads * a.width, a.width};
      const std::vector<float> x = draw.reals(a.batch * a.x_at.batch);
      std::vector<float> y(x.size());
      a.x = x.data(), a.y = y.data();
      launch(a);
      for (int64_t i = 0; i < a.batch * a.rows * a.heads; ++i) {
        const int64_t row = i / a.heads, p = a.positions ? positions[at(row)] : a.first + row % a.rows;
        const float *from = &x[at(i * a.width)], *to = &y[at(i * a.width)];
        for (int64_t j = 0; j < a.pairs; ++j) {
          const int64_t one = a.interleaved ? 2 * j : j, two = a.interleaved ? 2 * j + 1 : j + a.pairs;
          const double c = cos[at(p * a.pairs + j)], s = sin[at(p * a.pairs + j)];
          ASSERT_NEAR(to[one], from[one] * c - from[two] * s, 3e-7);
          ASSERT_NEAR(to[two], from[two] * c + from[one] * s, 3e-7);
        }
        for (int64_t j = 2 * a.pairs; j < a.width; ++j) ASSERT_EQ(to[j], from[j]);
      }
      a.x = y.data(), a.back = true;  // in place
      launch(a);
      for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i], x[i], 1e-6);
    }
  });
}

TEST(AdamW, FollowsTheFormulaInDouble) {
  on_every_isa([](const std::string&) {
    Draw draw(38);
    const int64_t count = 20000 + 5;
    std::vector<float> p = draw.reals(count), m(at(count)), v(at(count));
    std::vector<double> dp(p.begin(), p.end()), dm(at(count)), dv(at(count));
    for (int64_t step = 1; step <= 5; ++step) {
      const std::vector<float> g = draw.reals(count), p0 = p, m0 = m, v0 = v;
      at_any_threads([&] {
        p = p0, m = m0, v = v0;
        launch(AdamW{p.data(), m.data(), v.data(), g.data(), count, 0.01f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.5f,
                     step});
        return p;
      });
      for (size_t i = 0; i < p.size(); ++i) {
        const double grad = 0.5 * g[i];
        dm[i] = 0.9 * dm[i] + 0.1 * grad;
        dv[i] = 0.99 * dv[i] + 0.01 * grad * grad;
        const double rise =
            dm[i] / (1 - std::pow(0.9, step)) / (std::sqrt(dv[i] / (1 - std::pow(0.99, step))) + 1e-8);
        dp[i] = dp[i] * (1 - 0.01 * 0.1) - 0.01 * rise;
        ASSERT_NEAR(p[i], dp[i], 1e-6);
      }
    }
  });
}

TEST(SumOfSquares, InDoubleAtAnyThreads) {
  on_every_isa([](const std::string&) {
    Draw draw(39);
    for (int64_t count : {0, 1, 7, 8, 9, 16384, 16385, 100003}) {
      const std::vector<float> x = draw.reals(count);
      double want = 0;
      for (float value : x) want += static_cast<double>(value) * value;
      at_any_threads([&] {
        const double got = sum_of_squares(x.data(), count);
        EXPECT_NEAR(got, want, 1e-12 * want);
        std::vector<float> halves(2);
        std::memcpy(halves.data(), &got, sizeof got);
        return halves;
      });
    }
  });
}

}  // namespace
}  // namespace limpid::kernels
