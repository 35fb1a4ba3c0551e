#include "text/pipeline/aligned_text.h"

namespace limpid::text {
namespace {

constexpr size_t k_longest = ~uint32_t{0} - 1;

[[noreturn]] void fail_size(size_t size) {
  fail_call("tokenizer: a text of ", size, " bytes, expected less than 4 GiB; encode it in parts");
}

}  // namespace

AlignedText::AlignedText(std::string_view text, size_t base) : borrowed_(text), base_(base) {
  if (text.size() > k_longest) fail_size(text.size());
}

Span AlignedText::origin(size_t begin, size_t end) const {
  const size_t size = text().size();
  if (begin < end) return {base_ + place(begin).begin, base_ + place(end - 1).end};
  const size_t at = size == 0 ? 0 : begin < size ? place(begin).begin : place(size - 1).end;
  return {base_ + at, base_ + at};
}

AlignedText AlignedText::part(size_t begin, size_t end) const {
  if (!owns_) return {borrowed_.substr(begin, end - begin), base_ + begin};
  AlignedText out;
  out.owns_ = true;
  out.base_ = base_;
  out.owned_ = owned_.substr(begin, end - begin);
  out.places_.assign(places_.begin() + static_cast<std::ptrdiff_t>(begin),
                     places_.begin() + static_cast<std::ptrdiff_t>(end));
  return out;
}

void Rewriter::change() {
  changed_ = true;
  out_.owns_ = true;
  out_.base_ = from_.base_;
  out_.owned_.assign(text_.substr(0, kept_));
  out_.places_.reserve(text_.size());
  for (size_t at = 0; at < kept_; ++at) out_.places_.push_back(from_.place(at));
}

void Rewriter::check_size() const {
  if (out_.owned_.size() > k_longest) fail_size(out_.owned_.size());
}

void Rewriter::keep(size_t begin, size_t end) {
  if (begin == end) return;
  if (!changed_ && begin == kept_) {
    kept_ = end;
    return;
  }
  if (!changed_) change();
  out_.owned_.append(text_.substr(begin, end - begin));
  for (size_t at = begin; at < end; ++at) out_.places_.push_back(from_.place(at));
  check_size();
}

void Rewriter::replace(size_t begin, size_t end, std::string_view with) {
  if (begin == end) return insert(begin, with);
  if (!changed_) change();
  const AlignedText::Place hull{from_.place(begin).begin, from_.place(end - 1).end};
  out_.owned_.append(with);
  out_.places_.insert(out_.places_.end(), with.size(), hull);
  check_size();
}

void Rewriter::insert(size_t at, std::string_view what) {
  if (what.empty()) return;
  if (!changed_) change();
  const auto place = static_cast<uint32_t>(from_.origin(at, at).begin - from_.base_);
  out_.owned_.append(what);
  out_.places_.insert(out_.places_.end(), what.size(), {place, place});
  check_size();
}

AlignedText Rewriter::done() {
  if (!changed_ && kept_ == text_.size()) return from_;
  if (!changed_) change();
  return std::move(out_);
}

}  // namespace limpid::text
