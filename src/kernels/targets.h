// Which instruction sets the kernels are compiled for: AVX-512, AVX2 and NEON by hand-sized vectors, and
// plain loops (Highway's one-lane target) for every other machine.  Included before anything of Highway,
// by every kernel alike: the tables of all files must have the same entries.
//
// Left out to keep the build short: SSE (plain loops serve the few machines without AVX2), AVX3_DL (nothing
// here uses its instructions), SVE (its vectors have no size, so a register tile cannot be an array).
#pragma once

#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
