// What the public fused attention asks of a view: its axes, sizes, type and strides.  Errors are Error{call}
// that begin with "attention: NAME is".
#pragma once

#include <string>
#include <vector>

#include "kernels/attention.h"
#include "limpid/tensor.h"

namespace limpid {

/// A view that is not the default one.
bool is_given(const ConstView&);

/// "[B,T,H,D]".
std::string letters(const std::vector<Axis>&);

/// No axis has a name.
bool nameless(const Shape&);

/// The view with its axes in the order of `wanted`, named so.  Throws Error{call} unless it has just these
/// axes, or as many without names.
ConstView in_order(const char* name, const ConstView&, const std::vector<Axis>& wanted);

void require_sizes(const char* name, const ConstView&, const Shape& expected);

/// f32, bf16 or f16.
bool is_real(DType);
void require_real(const char* name, DType);

/// Is the last axis contiguous?  Its stride counts only where there is more than one number.
bool last_contiguous(const ConstView&);

/// Of a view with four axes: `row` and `head` are the places of those two.
kernels::HeadStrides strides_of(const ConstView&, size_t row, size_t head);

}  // namespace limpid
