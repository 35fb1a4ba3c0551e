#include "fuzz.h"
#include "limpid/train.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return limpid::fuzzed(data, size, [](std::string_view text) {
    const limpid::Recipe recipe = limpid::recipe_from_json(text);
    limpid::recipe_from_json(limpid::to_json(recipe));
    limpid::Graph graph(limpid::operations());
    if (const auto* gpt = std::get_if<limpid::GptConfig>(&recipe.network); !gpt || gpt->layers < 30)
      limpid::build(graph, recipe.network, limpid::Purpose::train);
  });
}
