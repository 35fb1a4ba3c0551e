#include "kernels/attention_documents.h"

#include "kernels/kernel.h"

namespace limpid::kernels {

namespace {

// The rows of one number, and where the next begins.
int64_t end_of(const int64_t* documents, int64_t first, int64_t count) {
  return std::upper_bound(documents + first, documents + count, documents[first]) - documents;
}

void* moved(DType type, void* data, int64_t elements) {
  return data ? static_cast<std::byte*>(data) + elements * static_cast<int64_t>(byte_size(type)) : nullptr;
}
const void* moved(DType type, const void* data, int64_t elements) {
  return moved(type, const_cast<void*>(data), elements);
}

// Queries [t0, t1) and keys [s0, s1) of batch entry b.
AttentionArgs part_of(const AttentionArgs& whole, int64_t b, int64_t t0, int64_t t1, int64_t s0, int64_t s1) {
  AttentionArgs part = whole;
  part.shape.batch = 1;
  part.shape.queries = t1 - t0;
  part.shape.keys = s1 - s0;
  part.q = moved(whole.type, whole.q, b * whole.q_at.batch + t0 * whole.q_at.row);
  part.k = moved(whole.type, whole.k, b * whole.k_at.batch + s0 * whole.k_at.row);
  part.v = moved(whole.type, whole.v, b * whole.v_at.batch + s0 * whole.v_at.row);
  part.z = moved(whole.z_type, whole.z, b * whole.z_at.batch + t0 * whole.z_at.row);
  const AttentionShape& s = whole.shape;
  const int64_t first =
      whole.first_queries ? whole.first_queries[b] : whole.first_query.value_or(s.keys - s.queries);
  part.first_query = first + t0 - s0;
  part.first_queries = nullptr;
  part.query_documents = part.key_documents = nullptr;
  part.within = {s.queries, s.keys, b, t0, s0};
  return part;
}

}  // namespace

bool attends_by_document(const AttentionArgs& args) {
  const bool by_cell = args.bias || args.distances || args.allowed || args.sinks || args.key_lengths;
  if (!args.query_documents || by_cell) return false;
  const AttentionShape& s = args.shape;
  for (int64_t b = 0; b < s.batch; ++b) {
    const int64_t *queries = args.query_documents + b * s.queries, *keys = args.key_documents + b * s.keys;
    if (!std::is_sorted(queries, queries + s.queries) || !std::is_sorted(keys, keys + s.keys)) return false;
  }
  return true;
}

std::vector<AttentionArgs> by_document(const AttentionArgs& args) {
  std::vector<AttentionArgs> parts;
  const AttentionShape& shape = args.shape;
  for (int64_t b = 0; b < shape.batch; ++b) {
    const int64_t *queries = args.query_documents + b * shape.queries,
                  *keys = args.key_documents + b * shape.keys;
    int64_t t = 0, s = 0;
    while (t < shape.queries || s < shape.keys) {
      const bool has_queries = s == shape.keys || (t < shape.queries && queries[t] <= keys[s]);
      const bool has_keys = t == shape.queries || (s < shape.keys && keys[s] <= queries[t]);
      const int64_t t1 = has_queries ? end_of(queries, t, shape.queries) : t,
                    s1 = has_keys ? end_of(keys, s, shape.keys) : s;
      parts.push_back(part_of(args, b, t, t1, s, s1));
      t = t1, s = s1;
    }
  }
  return parts;
}

AttentionGradients of_document(const AttentionArgs& document, const AttentionGradients& g) {
  const int64_t b = document.within.batch, t = document.within.first_query, s = document.within.first_key;
  AttentionGradients part = g;
  part.dz = moved(g.dz_type, g.dz, b * g.dz_at.batch + t * g.dz_at.row);
  part.dq = moved(g.type, g.dq, b * g.dq_at.batch + t * g.dq_at.row);
  part.dk = moved(g.type, g.dk, b * g.dk_at.batch + s * g.dk_at.row);
  part.dv = moved(g.type, g.dv, b * g.dv_at.batch + s * g.dv_at.row);
  return part;
}

void launch_forward_by_document(const AttentionArgs& args) {
  std::vector<AttentionForward> kernels;
  for (const AttentionArgs& part : by_document(args)) kernels.emplace_back(part);
  launch(Many<AttentionForward>(std::move(kernels)));
}

void launch_backward_by_document(const AttentionArgs& args, const AttentionGradients& gradients) {
  std::vector<AttentionBackward> kernels;
  for (const AttentionArgs& part : by_document(args))
    kernels.emplace_back(part, of_document(part, gradients));
  std::vector<AttentionBackwardSums> sums;
  for (const AttentionBackward& kernel : kernels) sums.emplace_back(kernel);
  const Many<AttentionBackward> tasks(std::move(kernels));  // its memory is what the sums read
  launch(tasks);
  const Many<AttentionBackwardSums> rest(std::move(sums));
  if (rest.tasks() > 0) launch(rest);
}

}  // namespace limpid::kernels
