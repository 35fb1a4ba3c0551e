// From the public fused::Attention to the kernels' arguments: everything is checked here, axes are put in
// order, and what the kernels cannot read in place is copied.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <vector>

#include "fused/views.h"
#include "kernels/attention.h"
#include "limpid/attention.h"

namespace limpid {

/// Floats that a kernel reads or writes by rows.
struct Rows {
  DType type;
  const void* data;
  kernels::HeadStrides at;
};

class AttentionCall {
 public:
  /// Throws Error{call}.  The views of `call` must outlive this.
  explicit AttentionCall(const fused::Attention& call);

  kernels::AttentionArgs args;  // without z and lse
  // N of distances; args may have more of them: where the caller's begin.
  int64_t distance_count = 0, distances_before = 0;

  Dims q_shape() const;  // [B,T,H,D]
  Dims z_shape() const;  // [B,T,H,D]
  Dims lse_shape() const;
  Dims key_shape(bool values) const;  // [B,S,G,D]

  /// One more input, [B,T,H,D] of f32, bf16 or f16 (or of f32 in a copy): checked, in order, its last axis
  /// contiguous.
  Rows rows(const char* name, const ConstView&, const Dims& expected, bool as_floats = false);
  /// One more input, f32 and contiguous.
  const float* numbers(const char* name, const ConstView&, const Dims& expected);

  /// Throws Error{call} where an output, already in order, overlaps itself, an input, or an output before it.
  void writes(const char* name, const Operand&);

 protected:
  AttentionCall() = default;
  Operand input(const char* name, const ConstView&, std::span<const Axis> axes);
  Operand input(const char* name, const ConstView& x, std::initializer_list<Axis> axes) {
    return input(name, x, std::span(axes.begin(), axes.size()));
  }
  Operand copied(const Operand&, DType);
  template <class T>
  const T* per(const char* name, std::span<const T>, Axis, int64_t count);
  Operand cells(const char* name, const ConstView&, DType);
  void take_inputs(const fused::Attention&);
  void take_numbers(const fused::Attention&);
  void require_shape() const;  // what all kernels ask of args.shape
  // Once args.shape is known.
  void take_sight(const fused::Attention&);
  void take_added(const fused::Attention&);
  void cover_distances();

 private:
  void use(const char* name, const Operand&);
  bool hidden_from_all_heads(int64_t b, int64_t t, int64_t s) const;

  struct Used {
    const char* name;
    Operand at;
  };
  std::array<Used, 32> used_{};  // inputs, then outputs
  size_t used_count_ = 0;
  std::vector<Tensor> copies_;
};

/// Where a kernel writes: the caller's view, or a tensor that done() copies there.
class AttentionOutput {
 public:
  /// Throws Error{call} unless the view has the shape and one of f32, bf16 and f16 (f32 alone where
  /// only_f32), and overlaps nothing.
  AttentionOutput(AttentionCall&, const char* name, const View&, const Dims& expected, bool only_f32 = false);
  DType type() const { return to_.dtype; }
  void* data() const { return const_cast<void*>(use_.data); }
  /// Of [B,T,H,D] or [B,S,G,D], innermost axis contiguous.
  kernels::HeadStrides rows() const;
  /// Of [B,H,T,S], innermost axis contiguous.
  kernels::HeadStrides cells() const;
  /// Asks for a tensor in this place, whatever the view: of this type, contiguous.
  void set_aside(DType);
  bool contiguous() const { return use_.contiguous(); }
  void done() const;

 private:
  Operand to_, use_;  // their data may be written
  Tensor aside_;
};

}  // namespace limpid
