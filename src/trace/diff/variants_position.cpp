#include <algorithm>
#include <cmath>

#include "limpid/ops.h"
#include "trace/diff/variant_helpers.h"

namespace limpid::variants {

namespace {

constexpr double k_bases[] = {100,     1000,    10000,   25000,   50000,    100000,
                              150000,  160000,  250000,  500000,  640000,   1000000,
                              1500000, 2500000, 5000000, 8000000, 10000000, 50000000};

// cos and sin of angles (t + ahead) x frequency(pair).
template <class Frequency>
std::vector<Tensor> angles(const StageCall& c, int64_t ahead, Frequency frequency) {
  std::vector<Tensor> out = c.run();
  const double magnitude = c.options().real("magnitude", 1);
  const int64_t pairs = out[0].shape()[1].size;
  for (int64_t i = 0; i < out[0].count(); ++i) {
    const double angle = static_cast<double>(i / pairs + ahead) * frequency(i % pairs);
    out[0].data<double>()[i] = magnitude * std::cos(angle);
    out[1].data<double>()[i] = magnitude * std::sin(angle);
  }
  return out;
}

// How far each pair turns from one position to the next.
std::vector<double> frequencies_of(const StageCall& c) {
  const auto given = c.options().all().find("frequencies");
  if (given != c.options().all().end())
    if (const auto* list = std::get_if<std::vector<double>>(&given->second)) return *list;
  const int64_t width = c.options().integer("width");
  std::vector<double> out;
  for (int64_t i = 0; i < width / 2; ++i)
    out.push_back(std::pow(c.options().real("base", 10000),
                           -2.0 * static_cast<double>(i) / static_cast<double>(width)));
  return out;
}

Variant shifted_angles(const std::string& what, int64_t ahead) {
  return {what, 0, [ahead](const StageCall& c) {
            const std::vector<double> own = frequencies_of(c);
            return angles(c, ahead, [&](int64_t i) { return own.at(static_cast<size_t>(i)); });
          }};
}

Variant scaled_angles(const std::string& what, double factor) {
  return {what, 0, [factor](const StageCall& c) {
            const std::vector<double> own = frequencies_of(c);
            return angles(c, 0, [&](int64_t i) { return own.at(static_cast<size_t>(i)) * factor; });
          }};
}

// Rows of a table [P,C] moved on.
Variant shifted_rows(const std::string& what, int64_t ahead) {
  return before(what, 1, [ahead](Tensor& table, const StageCall& c) {
    const Tensor& own = *c.in[1];
    const int64_t rows = own.shape()[0].size, width = own.shape().part(1, own.shape().rank() - 1).count();
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t from = std::min(std::max<int64_t>(r + ahead, 0), rows - 1);
      std::copy_n(own.data<double>() + from * width, width, table.data<double>() + r * width);
    }
  });
}

}  // namespace

List of_rotary_angles(const StageCall& c) {
  List out;
  const double base = c.options().real("base", 10000);
  const bool listed = c.options().has("frequencies");
  const int64_t width = c.options().integer("width");
  if (listed) {
    Options plain = {{"width", width}, {"base", base}};
    out.push_back(
        other("the scaling of the rotary frequencies is left out", c.stage.operation->kind(), plain));
  }
  for (const double each : k_bases)
    if (each != base && !listed)
      out.push_back(changed(join("rotary base ", short_number(each), " in place of ", short_number(base)),
                            "base", each));
  out.push_back(shifted_angles("positions begin at 1 in place of 0", 1));
  out.push_back(shifted_angles("positions begin at -1 in place of 0", -1));
  out.push_back(shifted_angles("positions begin at 2 in place of 0", 2));
  for (const double factor : {2.0, 4.0, 8.0, 16.0, 32.0})
    out.push_back(scaled_angles(join("rotary positions are divided by ", short_number(factor)), 1 / factor));
  for (const double wider : {2.0, 4.0})
    if (!listed)
      out.push_back({join("rotary frequencies of a width of ",
                          short_number(static_cast<double>(width) * wider), " in place of ", width),
                     0, [=](const StageCall& call) {
                       return angles(call, 0, [&](int64_t i) {
                         return std::pow(
                             base, -2.0 * static_cast<double>(i) / (static_cast<double>(width) * wider));
                       });
                     }});
  return out;
}

List of_rotary(const StageCall& c) {
  const bool interleaved = c.options().word("pairing", "halves") == std::string("interleaved");
  List out;
  out.push_back(changed(interleaved
                            ? "rotary pairs are halves (i, i + D/2) in place of neighbours (2i, 2i + 1)"
                            : "rotary pairs are neighbours (2i, 2i + 1) in place of halves (i, i + D/2)",
                        "pairing", std::string(interleaved ? "halves" : "interleaved")));
  out.push_back(before("the rotation goes the other way", 2, [](Tensor& sin, const StageCall&) {
    for (int64_t i = 0; i < sin.count(); ++i) sin.data<double>()[i] = -sin.data<double>()[i];
  }));
  out.push_back(before("sine and cosine are swapped", 2,
                       [](Tensor& sin, const StageCall& call) { sin = *call.in[1]; }));
  return out;
}

List of_learned_positions(const StageCall&) {
  List out;
  for (const int64_t ahead : {1, 2, -1})
    out.push_back(shifted_rows(join("positions begin at ", ahead, " in place of 0"), ahead));
  return out;
}

List of_sinusoidal_positions(const StageCall& c) {
  List out;
  for (const double each : k_bases)
    if (each != c.options().real("base", 10000))
      out.push_back(changed(
          join("base ", short_number(each), " in place of ", short_number(c.options().real("base", 10000))),
          "base", each));
  out.push_back(
      after("sines fill the first half of a row and cosines the second", [](Tensor& y, const StageCall&) {
        const Tensor own = y;
        const int64_t width = own.shape()[own.shape().rank() - 1].size;
        for (int64_t i = 0; i < own.count(); ++i) {
          const int64_t at = i % width, to = at % 2 == 0 ? at / 2 : (width + 1) / 2 + at / 2;
          y.data<double>()[i - at + to] = own.data<double>()[i];
        }
      }));
  const auto shifted = [](int64_t ahead) {
    return [ahead](const StageCall& call) {
      // One row more at either end, then the rows that are wanted.
      const Tensor& x = *call.in[0];
      Shape longer = x.shape();
      longer[1].size += ahead;
      const Tensor more(DType::f64, longer);
      const std::vector<Tensor> rows = call.run(call.stage.operation->kind(), call.options(), {&more});
      std::vector<Tensor> wanted;
      wanted.push_back(Tensor::copy_of(rows[0].view().window(1, ahead, x.shape()[1].size)));
      return wanted;
    };
  };
  out.push_back({"positions begin at 1 in place of 0", 0, shifted(1)});
  out.push_back({"positions begin at 2 in place of 0", 0, shifted(2)});
  return out;
}

List of_alibi(const StageCall&) {
  // What was added to each score, seen as slope(h) x distance.
  const auto remade = [](const std::string& what, auto slope_and_distance) {
    return after(what, [slope_and_distance](Tensor& y, const StageCall& c) {
      const Tensor& x = *c.in[0];
      const int64_t heads = y.shape()[1].size, rows = y.shape()[2].size, keys = y.shape()[3].size;
      const int64_t first = c.options().integer("first_query");
      for (int64_t i = 0; i < y.count(); ++i) {
        const int64_t s = i % keys, t = i / keys % rows + first, h = i / keys / rows % heads;
        y.data<double>()[i] = x.data<double>()[i] + slope_and_distance(h, heads, t, s);
      }
    });
  };
  List out;
  out.push_back(remade("the slope of head h is that of head h - 1: 2^(-8 h / H)",
                       [](int64_t h, int64_t heads, int64_t t, int64_t s) {
                         return -std::exp2(-8.0 * static_cast<double>(h) / static_cast<double>(heads)) *
                                static_cast<double>(t - s);
                       }));
  out.push_back(remade("the bias is slope x s, without the query's position (the weights are the same)",
                       [](int64_t h, int64_t heads, int64_t, int64_t s) {
                         return alibi_slope(h, heads) * static_cast<double>(s);
                       }));
  out.push_back(
      remade("the distance counts with the other sign", [](int64_t h, int64_t heads, int64_t t, int64_t s) {
        return alibi_slope(h, heads) * static_cast<double>(t - s);
      }));
  out.push_back(remade("the distance is its magnitude", [](int64_t h, int64_t heads, int64_t t, int64_t s) {
    return -alibi_slope(h, heads) * std::fabs(static_cast<double>(t - s));
  }));
  out.push_back(
      remade("every head has the slope of the first", [](int64_t, int64_t heads, int64_t t, int64_t s) {
        return -alibi_slope(0, heads) * static_cast<double>(t - s);
      }));
  return out;
}

List of_relative_bias(const StageCall& c) {
  List out;
  const bool both = c.options().flag("bidirectional");
  out.push_back(changed(
      both ? "buckets of one direction in place of both" : "buckets of both directions in place of one",
      "bidirectional", !both));
  for (const int64_t most : {int64_t{16}, int64_t{32}, int64_t{64}, int64_t{128}, int64_t{256}})
    if (most != c.options().integer("max_distance", 128))
      out.push_back(changed(
          join("a largest distance of ", most, " in place of ", c.options().integer("max_distance", 128)),
          "max_distance", most));
  for (const int64_t ahead : {1, -1})
    out.push_back(changed(join("the distance is one ", ahead > 0 ? "more" : "less"), "first_query",
                          c.options().integer("first_query") + ahead));
  return out;
}

}  // namespace limpid::variants
