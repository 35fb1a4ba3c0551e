#include "draw/scene/palette.h"

#include <gtest/gtest.h>

namespace limpid {
namespace {

constexpr Role k_roles[] = {Role::plain, Role::query, Role::key, Role::value, Role::weights};

// What prints in grey, and what a colour-blind reader sees, is the luminance: it alone must tell the order.
TEST(PaletteTest, ScalesAreInOrderInGrey) {
  for (Role role : k_roles)
    for (Theme theme : {Theme::light, Theme::dark})
      for (int level = 1; level <= draw::k_heat_levels; ++level) {
        const double before = draw::luminance(draw::heat(role, level - 1, theme)),
                     now = draw::luminance(draw::heat(role, level, theme));
        EXPECT_TRUE(theme == Theme::dark ? now > before + 0.003 : now < before - 0.003)
            << name(role) << " " << level << " " << before << " " << now;
      }
}

TEST(PaletteTest, TextReadsOnEveryCell) {
  for (Role role : k_roles)
    for (Theme theme : {Theme::light, Theme::dark})
      for (int level = 0; level <= draw::k_heat_levels; ++level) {
        const double shade = static_cast<double>(level) / draw::k_heat_levels;
        EXPECT_GE(draw::contrast(draw::heat(role, level, theme), draw::heat_ink(role, shade, theme)), 4)
            << name(role) << " " << level;
      }
}

TEST(PaletteTest, TextReadsOnThePage) {
  for (Theme theme : {Theme::light, Theme::dark}) {
    const auto ground = draw::colour(draw::paint_named("page"), theme);
    for (const char* ink : {"ink", "soft"})
      EXPECT_GE(draw::contrast(draw::colour(draw::paint_named(ink), theme), ground), 4.5) << ink;
    for (Role role : k_roles)
      EXPECT_GE(draw::contrast(draw::colour(draw::paint_of(role), theme), ground), 3) << name(role);
  }
}

}  // namespace
}  // namespace limpid
