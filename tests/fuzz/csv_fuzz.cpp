#include "fuzz.h"
#include "limpid/files.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const char separator : {',', ';'})
    limpid::fuzzed(data, size, [&](std::string_view text) {
      const limpid::CsvOptions options{.separator = separator};
      limpid::read_csv_text(limpid::bytes_of(text), "fuzz", options);
      const limpid::CsvNumbers table = limpid::read_csv(limpid::bytes_of(text), "fuzz", options);
      limpid::csv_bytes(table.values, table.columns);
    });
  return 0;
}
