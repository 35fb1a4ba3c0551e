// What is asked for in words: observations, edits, names of stages.
#include "engine/edit.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpid;
  fuzzed(data, size, [](std::string_view text) {
    const Observation asked = observation_of(std::string(text));
    observation_of(to_text(asked));
  });
  fuzzed(data, size, [](std::string_view text) {
    std::string file;
    const Edit edit = edit_of(std::string(text), &file);
    Tensor value(DType::f32, {{Axis::B, 1}, {Axis::H, 2}, {Axis::T, 3}, {Axis::S, 3}});
    if (edit.action != Edit::Action::replace) apply_edit(edit, "value", value.view());
  });
  return fuzzed(data, size, [](std::string_view text) {
    canonical_name(text);
    if (text.size() < 200) matches(text, "blocks.0.attn.pattern");
  });
}
