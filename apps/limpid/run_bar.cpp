#include "limpid/run_bar.h"

#include <algorithm>
#include <cstdio>

#include "core/width.h"
#include "trace/figures.h"

namespace limpid::command {

void RunBar::show(double done, const std::string& next) {
  constexpr std::chrono::milliseconds k_patience{500};
  if (!terminal_.progress || Clock::now() - start_ < k_patience) return;
  const std::string facts = "  " + std::to_string(static_cast<int>(100 * done)) + "%  " + next;
  const int room = std::clamp(terminal_.columns - 1 - static_cast<int>(display_width(facts)), 0, 30);
  const std::string line = bar(done, static_cast<size_t>(room)) + facts;
  std::fprintf(stderr, "\r\x1b[K%s",
               clip_to_width(line, static_cast<size_t>(std::max(1, terminal_.columns - 1))).c_str());
  std::fflush(stderr);
  shown_ = true;
}

RunBar::~RunBar() {
  if (!shown_) return;
  std::fprintf(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

}  // namespace limpid::command
