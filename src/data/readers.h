// The readers of limpid/data.h, of files in memory: what a test, a fuzz target or a page without files calls.
#pragma once

#include "data/content.h"
#include "limpid/data.h"

namespace limpid::data {

std::vector<std::string> lines(const DataFile& file);
LabelledTexts labelled_texts(DataFile file, const TableOptions& options,
                             const std::vector<std::string>& classes);
NumberedTexts numbered_texts(DataFile file, const TableOptions& options);
TextTable text_table(DataFile file, const TableOptions& options);
TextPairs parallel_texts(const DataFile& source, const DataFile& target);
TextPairs table_of_pairs(DataFile file, const PairOptions& options);
LabelledImages idx_images(const DataFile& images, const DataFile& labels, int64_t limit,
                          const std::vector<std::string>& classes);
SeriesTable series_table(DataFile file, const SeriesOptions& options);

}  // namespace limpid::data
