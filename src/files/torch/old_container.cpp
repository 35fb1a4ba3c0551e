// torch.save before 1.6 (and since, when it is asked to): five pickles (a magic number, a version, the
// machine, the values, the storages' keys), then each storage: how many numbers, and these
// (torch/serialization.py, _legacy_save).
#include <cstring>
#include <unordered_map>

#include "core/label.h"
#include "files/torch/container.h"

namespace limpid::torch {

namespace {

constexpr std::string_view k_magic = "0x1950a86a20f9469cfc6c";
constexpr int64_t k_version = 1001;

class OldContainer : public Container {
 public:
  OldContainer(Bytes bytes, const std::string& name) : bytes_(bytes), name_(name) {
    check_start();
    pickled_ = next_pickle();
    place_storages(next_pickle());
  }

  uint64_t storage_bytes(std::string_view key) const override { return place_of(key).size(); }
  void read(std::string_view key, uint64_t offset, std::span<std::byte> into) const override {
    const Bytes all = place_of(key);
    if (offset > all.size() || into.size() > all.size() - offset)
      fail_work(name_, ": storage '", shown(key), "' ends at byte ", all.size());
    std::memcpy(into.data(), all.data() + offset, into.size());
  }

 private:
  Pickled next_pickle() {
    Pickled pickled = read_pickle(bytes_.subspan(at_), name_);
    at_ += pickled.size;
    return pickled;
  }
  void check_start();
  void place_storages(const Pickled& keys);
  Bytes place_of(std::string_view key) const;
  static std::string shown(std::string_view key) { return visible_line(key.substr(0, 200)); }

  Bytes bytes_;
  const std::string& name_;
  size_t at_ = 0;
  std::unordered_map<std::string_view, Bytes> places_;
};

void OldContainer::check_start() {
  const Pickled magic = next_pickle();
  const Value& number = magic.values[magic.root];
  if (number.kind != Kind::word || number.text != k_magic)
    fail_work(name_, ": does not begin with the number that torch.save writes first");
  const Pickled version = next_pickle();
  const Value& v = version.values[version.root];
  if (v.kind != Kind::integer || v.number != k_version)
    fail_work(name_, ": is of version ", v.number, " of PyTorch's files, limpid reads ", k_version);
  const Pickled machine = next_pickle();
  const Value& about = machine.values[machine.root];
  if (about.kind != Kind::dict)
    fail_work(name_, ": what it says of the machine that wrote it is ", torch::name(about.kind),
              ", expected a dict");
  for (size_t i = 0; i < about.items.size(); i += 2)
    if (machine.values[about.items[i]].text == "little_endian" &&
        machine.values[about.items[i + 1]].number == 0)
      fail_work(name_, ": its numbers are in big-endian byte order, limpid reads little-endian");
}

void OldContainer::place_storages(const Pickled& keys) {
  const Value& list = keys.values[keys.root];
  if (list.kind != Kind::list)
    fail_work(name_, ": the storages' keys are ", torch::name(list.kind), ", expected a list");
  std::unordered_map<std::string_view, const Storage*> known;
  for (const Storage& storage : pickled_.storages) known.emplace(storage.key, &storage);
  for (const Ref ref : list.items) {
    const std::string_view key = keys.values[ref].text;
    const auto found = known.find(key);
    if (found == known.end())
      fail_work(name_, ": no tensor is of the storage '", shown(key), "' that it lists");
    if (bytes_.size() - at_ < sizeof(uint64_t))
      fail_work(name_, ": ends before storage '", shown(key), "'; the file was cut short");
    uint64_t count = 0;
    std::memcpy(&count, bytes_.data() + at_, sizeof count);
    at_ += sizeof count;
    const uint64_t each = found->second->type->bytes, left = bytes_.size() - at_;
    if (count > left / each)
      fail_work(name_, ": storage '", shown(key), "' has ", count, " numbers of ", each, " bytes, ", left,
                " bytes are left; the file was cut short");
    if (!places_.emplace(found->first, bytes_.subspan(at_, count * each)).second)
      fail_work(name_, ": lists storage '", shown(key), "' twice");
    at_ += count * each;
  }
}

Bytes OldContainer::place_of(std::string_view key) const {
  const auto found = places_.find(key);
  if (found == places_.end()) fail_work(name_, ": does not hold the storage '", shown(key), "' of a tensor");
  return found->second;
}

}  // namespace

std::unique_ptr<Container> open_old(Bytes bytes, const std::string& name) {
  return std::make_unique<OldContainer>(bytes, name);
}

}  // namespace limpid::torch
