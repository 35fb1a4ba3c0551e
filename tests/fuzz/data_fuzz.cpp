// The first byte says which reader; a zero byte divides what takes two files.
#include "data/readers.h"
#include "files/gzip.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpid;
  if (size == 0) return 0;
  limpid::fuzzed(data + 1, size - 1, [&](std::string_view view) {
    const std::string text(view);
    const std::string first = text.substr(0, text.find('\0')),
                      second = text.substr(std::min(first.size() + 1, text.size()));
    switch (data[0] % 8) {
      case 0:
        return void(data::labelled_texts({"fuzz.csv", text}, {}, {}));
      case 1:
        return void(data::labelled_texts({"fuzz.tsv", text}, {.header = false}, {"a", "b"}));
      case 2:
        return void(data::labelled_texts({"fuzz.jsonl", text}, {}, {}));
      case 3:
        return void(data::numbered_texts({"fuzz", text}, {}));
      case 4:
        return void(data::parallel_texts({"first", first}, {"second", second}));
      case 5:
        return void(data::series_table({"fuzz", text}, {.gaps = Gaps::interpolate}));
      case 6:
        return void(
            data::idx_images({"images", text}, {"labels", std::string("\0\0\x08\1\0\0\0\1\7", 9)}, 0, {}));
      default:
        return void(gunzip(bytes_of(text), "fuzz"));
    }
  });
  return 0;
}
