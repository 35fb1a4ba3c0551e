#include "draw/scene/typeset.h"

#include <gtest/gtest.h>

#include "draw/scene/text.h"

namespace limpid::draw {
namespace {

// Scripts in brackets, italics between slashes.
std::string shown(const std::string& equation) {
  std::string out;
  for (const SceneRun& run : typeset(std::string_view(equation))) {
    const std::string text = run.italic ? "/" + run.text + "/" : run.text;
    out += run.level == SceneRun::Level::sub     ? "_{" + text + "}"
           : run.level == SceneRun::Level::super ? "^{" + text + "}"
                                                 : text;
  }
  return out;
}

TEST(TypesetTest, IndicesAreLoweredAndVariablesItalic) {
  EXPECT_EQ(shown("y = x"), "/y/ = /x/");
  EXPECT_EQ(shown("z[t] = sum_s A[t,s] v[s]"), "/z/_{/t/} = Σ_{/s/} /A/_{/t/}_{,}_{/s/} /v/_{/s/}");
  EXPECT_EQ(shown("sum_s' exp(Z[t,s'])"), "Σ_{/s′/} exp(/Z/_{/t/}_{,}_{/s′/})");
  EXPECT_EQ(shown("Q = X W_Q + b_Q"), "/Q/ = /X/ /W/_{/Q/} + /b/_{/Q/}");
}

TEST(TypesetTest, PowersRootsAndSigns) {
  EXPECT_EQ(shown("y = x W^T + b"), "/y/ = /x/ /W/^{/T/} + /b/");
  EXPECT_EQ(shown("1 - y^2"), "1 − /y/^{2}");
  EXPECT_EQ(shown("10000^(2i/C)"), "10000^{2}^{/i/}^{/}^{/C/}");
  EXPECT_EQ(shown("X / sqrt(D)"), "/X/ / √/D/");
  EXPECT_EQ(shown("sqrt(var(x) + epsilon)"), "√(var(/x/) + ε)");
  EXPECT_EQ(shown("q[t] . k[s], else -inf"), "/q/_{/t/} · /k/_{/s/}, else −∞");
  EXPECT_EQ(shown("if s <= t"), "if /s/ ≤ /t/");
  EXPECT_EQ(shown("x1 cos - x2 sin"), "/x/_{1} cos − /x/_{2} sin");
  EXPECT_EQ(shown("sum over rows of dy"), "sum over rows of d/y/");
}

TEST(TypesetTest, LinearFormHasUnicodesSmallLettersOrBraces) {
  EXPECT_EQ(linear(typeset(std::string_view("z[t] = sum_s A[t,s] W^T x^2"))), "zₜ = Σₛ A_{t,s} Wᵀ x²");
}

// No equation of any shape is lost or read past its end.
TEST(TypesetTest, AnythingIsText) {
  for (const char* text :
       {"", "_", "^", "[", "a[", "a[b", "a_", "a^(", "sqrt(", "sum_", "W_E[token t]", "ü[1]"})
    EXPECT_NO_THROW(typeset(std::string_view(text))) << text;
  EXPECT_EQ(shown("W_E[token t]"), "/W/_{/E/}[token /t/]");
  EXPECT_EQ(shown("W_\xe2\x9c\x8e Q"), "/W/_{\xe2\x9c\x8e} /Q/");  // a script is a whole letter
}

TEST(TypesetTest, ScriptsAreNarrower) {
  const auto runs = typeset(std::string_view("x^2"));
  EXPECT_DOUBLE_EQ(runs_width(runs, 10), text_width("x", 10) + text_width("2", 7));
}

}  // namespace
}  // namespace limpid::draw
