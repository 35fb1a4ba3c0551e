// B in blocks of quantised numbers: a panel of it is expanded to f32 as it is packed, so that a product has
// the bits of the product with the expanded matrix.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_MATMUL_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_MATMUL_BLOCKS_INL_H_
#undef LIMPID_KERNELS_MATMUL_BLOCKS_INL_H_
#else
#define LIMPID_KERNELS_MATMUL_BLOCKS_INL_H_
#endif

#include "kernels/matmul_pack-inl.h"
#include "limpid/stored.h"
#include "tensor/blocks.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

/// The bytes of a matrix stored [N,K] in blocks: Stored<InBlocks<...>>::ld is a row's bytes.
template <BlockType kBlocks>
struct InBlocks {
  std::byte byte;
};

template <class T>
constexpr bool k_in_blocks = false;
template <BlockType kBlocks>
constexpr bool k_in_blocks<InBlocks<kBlocks>> = true;

constexpr int64_t k_largest_block = 256;  // numbers

// Signed bytes times d.
HWY_INLINE void expand_bytes(const int8_t* from, int64_t count, float d, float* to) {
  const hn::Rebind<int8_t, F32> i8;
  const hn::RebindToSigned<F32> i32;
  const Vec scale = hn::Set(k_f32, d);
  for (int64_t i = 0; i < count; i += k_lanes)
    hn::StoreU(hn::Mul(hn::ConvertTo(k_f32, hn::PromoteTo(i32, hn::LoadU(i8, from + i))), scale), k_f32,
               to + i);
}

template <BlockType kBlocks>
void expand_row(const std::byte* from, int64_t count, float* to) {
  if constexpr (kBlocks == BlockType::q8_0) {
    for (int64_t i = 0; i < count; i += 32, from += 34)
      expand_bytes(reinterpret_cast<const int8_t*>(from + 2), 32,
                   half_at(reinterpret_cast<const unsigned char*>(from)), to + i);
  } else {
    expand_blocks(kBlocks, from, count, to);
  }
}

/// pack_b() of blocks: k0 and `depth` are whole ones, but for the depth of the last step of K.
template <BlockType kBlocks>
void pack_b(const Stored<InBlocks<kBlocks>>& b, bool /*transposed*/, int64_t k0, int64_t depth, int64_t n0,
            int64_t columns, int64_t pitch, float* HWY_RESTRICT to) {
  constexpr int64_t k_high = 16;
  HWY_ALIGN float part[k_high * k_largest_block];
  const BlockSize block = size_of(kBlocks);
  for (int64_t k = 0; k < depth; k += k_largest_block) {
    const int64_t wide = std::min(k_largest_block, depth - k);
    const int64_t offset = (k0 + k) / block.numbers * static_cast<int64_t>(block.bytes);
    for (int64_t n = 0; n < columns; n += k_high) {
      const int64_t high = std::min(k_high, columns - n);
      for (int64_t r = 0; r < high; ++r)
        expand_row<kBlocks>(&b.data[(n0 + n + r) * b.ld + offset].byte, wide, part + r * k_largest_block);
      transpose_f32(high, wide, part, k_largest_block, to + k * pitch + n, pitch);
    }
  }
  for (int64_t p = 0; p < depth && columns < pitch; ++p)
    std::fill(to + p * pitch + columns, to + (p + 1) * pitch, 0.f);
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_MATMUL_BLOCKS_INL_H_
