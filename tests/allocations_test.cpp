// Calls into the caller's memory allocate nothing once their sizes have been seen (limpid/attention.h).  This
// program counts every allocation of the process: malloc and its like are replaced, operator new calls them.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "fused/test_helpers.h"
#include "kernels/test_helpers.h"
#include "limpid/attention.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LIMPID_COUNTS_ALLOCATIONS 1

namespace {
std::atomic<int64_t> allocations{0};
}

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) { return ++allocations, __libc_malloc(bytes); }
void* calloc(size_t count, size_t bytes) { return ++allocations, __libc_calloc(count, bytes); }
void* realloc(void* block, size_t bytes) { return ++allocations, __libc_realloc(block, bytes); }
void* memalign(size_t at, size_t bytes) { return ++allocations, __libc_memalign(at, bytes); }
void* aligned_alloc(size_t at, size_t bytes) { return ++allocations, __libc_memalign(at, bytes); }
int posix_memalign(void** block, size_t at, size_t bytes) {
  ++allocations;
  *block = __libc_memalign(at, bytes);
  return *block ? 0 : ENOMEM;
}
}
#endif

namespace limpid {
namespace {

using namespace testing;

// How many allocations the call makes when it has been made before.
template <class Call>
int64_t allocations_of(Call call) {
#ifdef LIMPID_COUNTS_ALLOCATIONS
  call();
  call();
  const int64_t before = allocations;
  for (int i = 0; i < 5; ++i) call();
  return allocations - before;
#else
  call();
  return 0;
#endif
}

template <class Check>
void at_threads(Check check) {
  const int before = threads();
  for (int count : {1, 2}) {
    set_threads(count);
    SCOPED_TRACE(join(count, " threads"));
    check();
  }
  set_threads(before);
}

TEST(Allocations, AreCounted) {
#ifdef LIMPID_COUNTS_ALLOCATIONS
  EXPECT_EQ(allocations_of([] { Tensor(DType::f32, {{T, 3}}); }) > 0, true);
#else
  GTEST_SKIP() << "allocations are not counted here";
#endif
}

TEST(Allocations, DecodeInto) {
  const int64_t room = 3000;  // enough that keys are split among tasks
  const Tensor q = drawn({{B, 2}, {T, 2}, {H, 6}, {D, 32}}, 1),
               k = drawn({{B, 2}, {S, room}, {G, 2}, {D, 32}}, 2),
               heads_major = drawn({{B, 2}, {G, 2}, {S, room}, {D, 32}}, 3),
               scales = drawn({{B, 2}, {G, 2}, {S, room}}, 4);
  const Tensor integers(DType::i8, k.shape()), halves = k.to(DType::bf16);
  Tensor pages(DType::i64, {{B, 2}, {N, 1}});
  pages.data<int64_t>()[1] = 1;
  const ConstView paged(DType::f32, {{Axis::P, 2}, {S, room}, {G, 2}, {D, 32}}, k.raw());
  const std::vector<int64_t> lengths = {room, 1234}, firsts = {2998, 1232};
  const std::vector<float> per_head = {0.1f, 0.2f, 0.f, 0.3f, 0.05f, 0.01f};
  Tensor z(DType::f32, q.shape()), lse(DType::f32, {{B, 2}, {H, 6}, {T, 2}}), rest = lse;
  const View to_z = z.view(), to_lse = lse.view(), to_rest = rest.view();
  const fused::Decode all[] = {{.q = q, .keys = {k}, .values = {heads_major}},
                               {.q = q,
                                .keys = {halves},
                                .values = {k},
                                .softcap = 3,
                                .causal = true,
                                .window = 700,
                                .key_lengths = lengths},
                               {.q = q,
                                .keys = {integers, scales},
                                .values = {integers, scales},
                                .slopes = per_head,
                                .sinks = per_head},
                               {.q = q,
                                .keys = {.rows = paged, .pages = pages},
                                .values = {k},
                                .causal = true,
                                .first_queries = firsts}};
  at_threads([&] {
    for (const fused::Decode& call : all) {
      EXPECT_EQ(allocations_of([&] { fused::decode_into(call, to_z, to_lse, to_rest); }), 0);
      EXPECT_EQ(allocations_of([&] { fused::decode_into(call, to_z, {}); }), 0);
    }
  });
}

TEST(Allocations, ForwardInto) {
  const Tensor q = drawn({{B, 2}, {T, 90}, {H, 6}, {D, 32}}, 1),
               k = drawn({{B, 2}, {S, 120}, {G, 2}, {D, 32}}, 2),
               bias = drawn({{H, 6}, {T, 90}, {S, 120}}, 3);
  const Tensor halves[] = {q.to(DType::bf16), k.to(DType::bf16)};
  Tensor documents[] = {Tensor(DType::i64, {{B, 2}, {T, 90}}), Tensor(DType::i64, {{B, 2}, {S, 120}})};
  Tensor allowed(DType::boolean, {{T, 90}, {S, 120}});
  std::fill_n(allowed.data<bool>(), allowed.count(), true);
  const std::vector<int64_t> lengths = {120, 77};
  const std::vector<float> per_head = {0.1f, 0.2f, 0.f, 0.3f, 0.05f, 0.01f};
  Tensor z(DType::f32, q.shape()), lse(DType::f32, {{B, 2}, {H, 6}, {T, 90}});
  const View to_z = z.view(), to_lse = lse.view();
  const fused::Attention all[] = {
      {.q = q, .k = k, .v = k},
      {.q = halves[0],
       .k = halves[1],
       .v = halves[1],
       .softcap = 4,
       .causal = true,
       .window = 50,
       .first_query = 3},
      {.q = q, .k = k, .v = k, .key_lengths = lengths, .allowed = allowed, .bias = bias},
      {.q = q,
       .k = k,
       .v = k,
       .causal = true,
       .query_documents = documents[0],
       .key_documents = documents[1],
       .slopes = per_head,
       .sinks = per_head,
       .dropout = 0.1}};
  at_threads([&] {
    for (const fused::Attention& call : all) {
      EXPECT_EQ(allocations_of([&] { fused::forward_into(call, to_z, to_lse); }), 0);
      EXPECT_EQ(allocations_of([&] { fused::forward_into(call, to_z, {}); }), 0);
    }
  });
}

}  // namespace
}  // namespace limpid
