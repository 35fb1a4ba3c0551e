// The matrices of a layer's experts, out of the forms that files have them in.  Each gives a parameter
// [M,in,out] (or a bias [M,out]) in f32, of whose outputs `part` says where they stand in the file (gate and
// up in one tensor).  Each throws Error{work} naming the file, the tensor, its shape and the expected one,
// before memory of the parameter's size is taken.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "limpid/stored.h"
#include "limpid/tensor_source.h"
#include "model/families/family.h"

namespace limpid {

/// One tensor [M,in,out] or [M,out].
Tensor read_experts(const TensorSource&, const std::string& name, const Part&, const Shape& own);
/// Numbers of 4 bits with scales (files/mxfp4.h): `name` [M,out,in / 32,16] or [M,out,in / 2], u8, and beside
/// it scales_of(name) [M,out,in / 32], u8.
Tensor read_mxfp4_experts(const TensorSource&, const std::string& name, const Part&, const Shape& own);
/// One tensor [M,out,in].
Tensor read_turned_experts(const TensorSource&, const std::string& name, const Part&, const Shape& own);
/// "..._scales" of "..._blocks".
std::string scales_of(const std::string& name);
/// A tensor [out,in] for each expert, of these names.
Tensor read_experts_apart(const TensorSource&, const std::vector<std::string>& names, const Shape& own);

// The same as the file has them, where they can be kept so; else nothing, and reading them says what is
// wrong.
/// 16-bit numbers.
std::optional<StoredMatrix> stored_experts(const TensorSource&, const std::string& name, const Part&,
                                           const Shape& own);
/// Whole blocks too.
std::optional<StoredMatrix> stored_turned_experts(const TensorSource&, const std::string& name, const Part&,
                                                  const Shape& own);
std::optional<StoredMatrix> stored_mxfp4_experts(const TensorSource&, const std::string& name, const Part&,
                                                 const Shape& own);
std::optional<StoredMatrix> stored_experts_apart(const TensorSource&, const std::vector<std::string>& names,
                                                 const Shape& own);

}  // namespace limpid
