// A whole scene at once: what stands where, moved and scaled.
#pragma once

#include <functional>

#include "limpid/scene.h"

namespace limpid::draw {

/// Calls `point` on every point, `rect` on every rectangle and `text` on every text.
void each_place(Scene&, const std::function<void(Point&)>& point, const std::function<void(Rect&)>& rect,
                const std::function<void(SceneText&)>& text);

/// The same scene moved and scaled.
void transform(Scene&, double scale, Point to);

/// The scene as large as it fits into a page of that size, in its middle; the scene takes that size.
Scene fitted(const Scene&, double width, double height, double margin);

}  // namespace limpid::draw
