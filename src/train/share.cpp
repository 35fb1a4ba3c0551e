#include "train/share.h"

#include <algorithm>
#include <cstring>

namespace limpid {

namespace {

// How many targets count: all numbers, or the classes that are not negative.
int64_t counted(const Tensor& targets) {
  if (targets.dtype() != DType::i64) return targets.count();
  const int64_t* at = targets.data<int64_t>();
  return std::count_if(at, at + targets.count(), [](int64_t target) { return target >= 0; });
}

// Where each text of a packed batch begins, and the end: `documents` [1,T] rise from 0.
std::vector<int64_t> begins_of(const Tensor& documents, int64_t count) {
  std::vector<int64_t> begins;
  for (int64_t t = 0; t < documents.count(); ++t)
    while (static_cast<int64_t>(begins.size()) <= documents.data<int64_t>()[t]) begins.push_back(t);
  while (static_cast<int64_t>(begins.size()) <= count) begins.push_back(documents.count());
  return begins;
}

struct PackedTexts {
  std::vector<int64_t> tokens, source;  // where they begin; the second is empty without a source
  static int64_t between(const std::vector<int64_t>& begins, int64_t first, int64_t end) {
    return begins.empty() ? 0 : begins[static_cast<size_t>(end)] - begins[static_cast<size_t>(first)];
  }
  int64_t of_both(int64_t first, int64_t end) const {
    return between(tokens, first, end) + between(source, first, end);
  }
  // Could RunContext::part_of take the one for the other?
  bool alike(int64_t first, int64_t end) const {
    return !source.empty() && first < end && between(tokens, first, end) == between(source, first, end);
  }
};

// The first text of each rank, and the end: about as many tokens each.  Where a rank would have as many
// tokens as source tokens, a text goes over to its neighbour: dropout tells the two rows apart by their
// lengths.
std::vector<int64_t> firsts_of(const PackedTexts& texts, int64_t count, int size) {
  std::vector<int64_t> firsts = {0};
  const int64_t all = texts.of_both(0, count);
  for (int rank = 1; rank < size; ++rank) {
    int64_t at = firsts.back();
    while (at < count && texts.of_both(0, at) * size < all * rank) ++at;
    firsts.push_back(at);
  }
  firsts.push_back(count);
  for (size_t r = 0; r + 2 < firsts.size(); ++r)
    while (texts.alike(firsts[r], firsts[r + 1]) && firsts[r + 1] < firsts[r + 2]) ++firsts[r + 1];
  for (size_t r = firsts.size() - 2; r > 0; --r)
    while (texts.alike(firsts[r], firsts[r + 1]) && firsts[r] > firsts[r - 1]) --firsts[r];
  return firsts;
}

Tensor part_of(const Tensor& tensor, int axis, int64_t first, int64_t count) {
  return Tensor::copy_of(tensor.view().window(axis, first, count));
}

Share packed_share_of(const Batch& whole, int rank, int size) {
  PackedTexts texts{begins_of(whole.inputs.at("documents"), whole.examples), {}};
  if (const auto source = whole.inputs.find("source_documents"); source != whole.inputs.end())
    texts.source = begins_of(source->second, whole.examples);
  const std::vector<int64_t> firsts = firsts_of(texts, whole.examples, size);
  const int64_t first = firsts[static_cast<size_t>(rank)],
                count = firsts[static_cast<size_t>(rank) + 1] - first;
  Share share;
  share.first_row = first;
  share.batch.examples = count;
  for (const std::vector<int64_t>* begins : {&texts.tokens, &texts.source})
    if (!begins->empty())
      share.parts.push_back({PackedTexts::between(*begins, first, first + count),
                             (*begins)[static_cast<size_t>(first)], begins->back()});
  for (const auto& [name, tensor] : whole.inputs) {
    const bool of_source = name.starts_with("source") || name.starts_with("encoder.");
    Tensor& part = share.batch.inputs[name];
    if (tensor.shape().rank() == 2) {  // [1,T]
      const RunContext::Part& tokens = share.parts[of_source ? 1 : 0];
      part = part_of(tensor, 1, tokens.first, tokens.own);
    } else {  // a number a text
      part = part_of(tensor, 0, first, count);
    }
    if (name.ends_with("documents"))
      for (int64_t i = 0; i < part.count(); ++i) part.data<int64_t>()[i] -= first;
  }
  return share;
}

Share share_of_rows(const Batch& whole, int rank, int size) {
  const int64_t each = whole.examples / size, more = whole.examples % size;
  const int64_t first = rank * each + std::min<int64_t>(rank, more), count = each + (rank < more);
  Share share;
  share.first_row = first;
  share.batch.examples = count;
  for (const auto& [name, tensor] : whole.inputs) {
    if (tensor.shape().rank() == 0 || tensor.shape()[0].size != whole.examples)
      fail_call("train: the input '", name, "' ", tensor.shape().text(), " of a batch of ", whole.examples,
                " examples has no row for each; it cannot be parted among ranks");
    share.batch.inputs[name] = part_of(tensor, 0, first, count);
  }
  return share;
}

}  // namespace

Share share_of(const Batch& whole, int rank, int size) {
  Share share =
      whole.inputs.count("documents") ? packed_share_of(whole, rank, size) : share_of_rows(whole, rank, size);
  share.batch.positions = whole.positions;  // the speed is all ranks'
  const int64_t all = counted(whole.inputs.at("targets")), own = counted(share.batch.inputs.at("targets"));
  share.weight = all > 0 ? static_cast<double>(own) / static_cast<double>(all) : 0;
  return share;
}

// ---- sums ----------------------------------------------------------------------------------------------

namespace {

// Numbers of a bucket: few enough that the first sums begin early, enough that a sum is more than its latency
// (1 MB; docs/several-machines.md).  A larger gradient is a bucket of its own.
constexpr int64_t k_bucket = 1 << 18;

}  // namespace

GradientSums::GradientSums(Ranks& ranks, const std::vector<std::string>& order, const Parameters& gradients)
    : ranks_(ranks) {
  int64_t filled = k_bucket;  // a bucket begins with the first parameter
  for (const std::string& name : order) {
    const int64_t count = gradients.at(name).count();
    if (filled >= k_bucket) {
      buckets_.emplace_back();
      filled = 0;
    }
    places_[name] = {buckets_.size() - 1, filled, count};
    filled += count;
    buckets_.back().numbers.resize(static_cast<size_t>(filled));
    ++buckets_.back().parameters;
  }
}

void GradientSums::begin() {
  for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters;
  for (auto& [name, place] : places_) place.added = false;
  begun_ = 0;
  under_way_ = true;
}

void GradientSums::add(const std::string& parameter, const Tensor& gradient, double factor) {
  Place& place = places_.at(parameter);
  Bucket& bucket = buckets_[place.bucket];
  float* to = bucket.numbers.data() + place.first;
  const float* from = gradient.data<float>();
  const auto f = static_cast<float>(factor);
  for (int64_t i = 0; i < place.count; ++i) to[i] = from[i] * f;
  place.added = true;
  --bucket.missing;
  begin_complete();
}

void GradientSums::begin_complete() {
  for (; begun_ < buckets_.size() && buckets_[begun_].missing == 0; ++begun_)
    ranks_.begin_sum(buckets_[begun_].numbers.data(), static_cast<int64_t>(buckets_[begun_].numbers.size()));
}

// Of a step that failed on this rank alone, other ranks' numbers may still arrive: the memory stays.
GradientSums::~GradientSums() {
  if (!under_way_) return;
  static_cast<void>(std::make_unique<std::vector<Bucket>>(std::move(buckets_)).release());
  static_cast<void>(std::make_unique<std::vector<double>>(std::move(told_)).release());
}

std::vector<double> GradientSums::finish(std::vector<double> told) {
  for (auto& [name, place] : places_) {
    if (place.added) continue;
    Bucket& bucket = buckets_[place.bucket];
    std::fill_n(bucket.numbers.data() + place.first, place.count, 0.0f);
    --bucket.missing;
  }
  begin_complete();
  told_ = std::move(told);
  ranks_.begin_sum(told_.data(), static_cast<int64_t>(told_.size()));
  ranks_.wait();
  under_way_ = false;
  return told_;
}

void GradientSums::take(Parameters& gradients) const {
  for (const auto& [name, place] : places_)
    std::copy_n(buckets_[place.bucket].numbers.data() + place.first, place.count,
                gradients.at(name).data<float>());
}

std::vector<std::string> in_order_of_gradients(const Graph& graph,
                                               const std::vector<std::string>& parameters) {
  std::vector<std::pair<int, std::string>> order;
  for (const std::string& name : parameters)
    order.emplace_back(graph.value(graph.require(name + ".grad")).stage, name);
  std::sort(order.begin(), order.end());
  std::vector<std::string> names;
  for (const auto& [stage, name] : order) names.push_back(name);
  return names;
}

uint64_t digest_of(const std::map<std::string, Tensor>& tensors) {
  uint64_t digest = 0xcbf29ce484222325u;
  for (const auto& [name, tensor] : tensors) {
    digest = digest_of(name.data(), name.size(), digest);
    const auto* at = static_cast<const std::byte*>(tensor.raw());
    // Eight bytes a step: a digest of a hundred million numbers is a tenth of a second.
    size_t i = 0;
    for (; i + sizeof(uint64_t) <= tensor.bytes(); i += sizeof(uint64_t)) {
      uint64_t word;
      std::memcpy(&word, at + i, sizeof word);
      digest = (digest ^ word) * 0x9e3779b97f4a7c15u;
      digest ^= digest >> 29;
    }
    digest = digest_of(at + i, tensor.bytes() - i, digest);
  }
  return digest;
}

}  // namespace limpid
