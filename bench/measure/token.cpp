// What one token of a network reads: every matrix of SmolLM2-135M once, multiplied by one row, each kind of
// number as it is stored (limpid/stored.h).  Its limit is reading them once.
#include "bench/measure/catalogue.h"
#include "kernels/kernel.h"
#include "kernels/matmul.h"
#include "limpid/error.h"
#include "limpid/stored.h"

namespace limpid::bench {
namespace {

constexpr int64_t k_width = 576, k_hidden = 1536, k_kv_width = 192, k_vocabulary = 49152, k_layers = 30;

struct Kind {
  DType type;
  BlockType blocks;
};

// Bytes of small numbers of any kind: scales of 2^-8, whatever integers.
StoredMatrix filled(const Kind& kind, int64_t rows, int64_t columns) {
  StoredMatrix matrix(kind.type, kind.blocks, Shape::unnamed({rows, columns}), rows, columns, false);
  std::byte* bytes = matrix.row(0);
  for (size_t i = 0; i < matrix.bytes(); ++i) bytes[i] = static_cast<std::byte>(i % 2 ? 0x1c : i * 37 & 0xff);
  return matrix;
}

Case token(const Kind& kind) {
  Case c;
  c.what = "token";
  c.shape = "SmolLM2 (30,576,1536,49152)";
  c.type = std::string(kind.blocks == BlockType::none ? name(kind.type) : name(kind.blocks));
  c.layout = "stored";
  const BlockSize block = size_of(kind.blocks);
  const int64_t numbers =
      k_layers * k_width * (2 * k_width + 2 * k_kv_width + 3 * k_hidden) + k_vocabulary * k_width;
  const int64_t bytes = kind.blocks == BlockType::none
                            ? numbers * static_cast<int64_t>(byte_size(kind.type))
                            : numbers / block.numbers * static_cast<int64_t>(block.bytes);
  c.bounds = {{{LimitKey::Kind::read, bytes}, static_cast<double>(bytes)}};
  c.prepare = [=]() -> std::function<void()> {
    const auto matrices = std::make_shared<std::vector<StoredMatrix>>();
    const auto add = [&](int64_t rows, int64_t columns) { matrices->push_back(filled(kind, rows, columns)); };
    for (int64_t i = 0; i < k_layers; ++i) {
      add(k_width, k_width), add(k_kv_width, k_width), add(k_kv_width, k_width), add(k_width, k_width);
      add(k_hidden, k_width), add(k_hidden, k_width), add(k_width, k_hidden);
    }
    add(k_vocabulary, k_width);
    const auto row = std::make_shared<std::vector<float>>(k_hidden, 0.5f),
               out = std::make_shared<std::vector<float>>(k_vocabulary);
    return [=] {
      for (const StoredMatrix& matrix : *matrices) {
        kernels::MatmulArgs args;
        args.m = 1, args.k = matrix.columns(), args.n = matrix.rows();
        args.a = row->data(), args.lda = args.k;
        args.b = matrix.row(0), args.b_type = matrix.dtype(), args.b_blocks = matrix.blocks();
        args.ldb = kind.blocks == BlockType::none ? args.k : static_cast<int64_t>(matrix.row_bytes());
        args.transpose_b = true;
        args.c = out->data(), args.ldc = args.n;
        kernels::launch(kernels::Matmul(args));
      }
    };
  };
  return c;
}

}  // namespace

void add_token(std::vector<Case>& all) {
  for (DType type : {DType::f32, DType::bf16, DType::f16}) all.push_back(token({type, BlockType::none}));
  for (BlockType blocks :
       {BlockType::q8_0, BlockType::q4_0, BlockType::q4_1})  // 576 is not whole blocks of Q4_K
    all.push_back(token({DType::f32, blocks}));
}

}  // namespace limpid::bench
