// The memory that benchmarks run on.  What has the same name and size is the same memory, as long as anybody
// holds it: the queries of shape d are there once, however many rows read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "limpid/tensor.h"

namespace limpid::bench {

/// `bytes` of zeros that have been touched, at a multiple of 64.
std::shared_ptr<std::byte> shared_bytes(const std::string& name, int64_t bytes);

/// `count` numbers, evenly spread over [-1, 1) and in no order; the same for every name, size and run.
std::shared_ptr<float> shared_numbers(const std::string& name, int64_t count);

/// The same numbers, rounded to bf16.
std::shared_ptr<bf16> shared_bf16(const std::string& name, int64_t count);

}  // namespace limpid::bench
