// torch.save since 1.6: NAME/data.pkl, NAME/data/KEY for each storage, NAME/byteorder, in a zip whose entries
// are stored as they are (caffe2/serialize/inline_container.h of PyTorch describes it).
#include "core/label.h"
#include "files/torch/container.h"
#include "files/zip_handles.h"

namespace limpid::torch {

namespace {

constexpr std::string_view k_pickle = "data.pkl";
constexpr uint64_t k_deflate_growth = 1032;  // the most that deflate makes of a byte

class ZipContainer : public Container {
 public:
  ZipContainer(Bytes bytes, const std::string& name) : size_(bytes.size()), name_(name) {
    open(bytes);
    find_pickle();
    check_byte_order();
    const zip_stat_t stat = stat_of(prefix_ + std::string(k_pickle));
    if (stat.size > k_most_pickle)
      fail_work(name_, ": ", k_pickle, " has ", stat.size, " bytes, limpid reads at most ", k_most_pickle);
    pickle_.resize(stat.size);
    read_entry(stat, 0, std::as_writable_bytes(std::span(pickle_)));
    pickled_ = read_pickle(bytes_of(pickle_), name_);
  }

  uint64_t storage_bytes(std::string_view key) const override { return stat_of(entry_of(key)).size; }
  void read(std::string_view key, uint64_t offset, std::span<std::byte> into) const override {
    read_entry(stat_of(entry_of(key)), offset, into);
  }

 private:
  void open(Bytes bytes);
  void find_pickle();
  void check_byte_order() const;
  std::string entry_of(std::string_view key) const { return prefix_ + "data/" + std::string(key); }
  static std::string shown(std::string_view entry) { return visible_line(entry.substr(0, 200)); }
  zip_stat_t stat_of(const std::string& entry) const;
  void read_entry(const zip_stat_t&, uint64_t offset, std::span<std::byte> into) const;

  uint64_t size_;
  const std::string& name_;
  Archive archive_;
  std::string prefix_;  // "archive/"
  std::string pickle_;
};

void ZipContainer::open(Bytes bytes) {
  ErrorText error;
  Source source(zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error.error));
  if (!source) fail_work(name_, ": ", error.text());
  archive_.reset(zip_open_from_source(source.get(), ZIP_RDONLY | ZIP_CHECKCONS, &error.error));
  if (!archive_ && zip_error_code_zip(&error.error) == ZIP_ER_EXISTS)
    fail_work(name_, ": two entries of one name");
  if (!archive_)
    fail_work(name_, ": a PyTorch checkpoint whose zip was cut short, or is damaged: ", error.text());
  source.release();  // the archive's from here
}

// The folder's name is the file's when it was written, or "archive".
void ZipContainer::find_pickle() {
  const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
  bool found = false;
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* raw = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
    const std::string_view entry = raw ? raw : "";
    if (entry.ends_with("/constants.pkl") || entry == "constants.pkl")
      throw PickleRefusal(join(name_,
                               ": a TorchScript program (torch.jit.save), which limpid does not run; save "
                               "the module's state_dict() with torch.save instead"));
    if (!entry.ends_with(k_pickle)) continue;
    const std::string_view prefix = entry.substr(0, entry.size() - k_pickle.size());
    if (!prefix.empty() && (prefix.back() != '/' || prefix.find('/') != prefix.size() - 1)) continue;
    if (found) fail_work(name_, ": two entries are called ", k_pickle, ", expected one");
    prefix_ = prefix;
    found = true;
  }
  if (!found) fail_work(name_, ": no entry is called ", k_pickle, ", as torch.save has it");
}

void ZipContainer::check_byte_order() const {
  const std::string entry = prefix_ + "byteorder";
  if (zip_name_locate(archive_.get(), entry.c_str(), 0) < 0) return;  // before PyTorch 2.1: little
  const zip_stat_t stat = stat_of(entry);
  std::string order(std::min<uint64_t>(stat.size, 16), '\0');
  read_entry(stat, 0, std::as_writable_bytes(std::span(order)));
  if (order != "little")
    fail_work(name_, ": its numbers are in the byte order ", in_quotes(order), ", limpid reads 'little'");
}

zip_stat_t ZipContainer::stat_of(const std::string& entry) const {
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (entry.find('\0') != entry.npos || zip_stat(archive_.get(), entry.c_str(), 0, &stat) != 0)
    fail_work(name_, ": the zip has no entry '", shown(entry), "'");
  constexpr zip_uint64_t k_needed =
      ZIP_STAT_INDEX | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if ((stat.valid & k_needed) != k_needed)
    fail_work(name_, ": '", shown(entry), "' does not say how long it is");
  const bool stored = stat.comp_method == ZIP_CM_STORE;
  if (!stored && stat.comp_method != ZIP_CM_DEFLATE)
    fail_work(name_, ": '", shown(entry), "' is packed by method ", stat.comp_method,
              ", expected stored or deflated");
  if (stat.comp_size > size_ || (stored && stat.size != stat.comp_size))
    fail_work(name_, ": '", shown(entry), "' has ", stat.size, " bytes, more than are there");
  if (!stored && (stat.size / k_deflate_growth > stat.comp_size || stat.size > most_unpacked(size_)))
    fail_work(name_, ": '", shown(entry), "' unpacks to ", stat.size, " bytes from ", stat.comp_size,
              "; it was made to fill the memory");
  return stat;
}

void ZipContainer::read_entry(const zip_stat_t& stat, uint64_t offset, std::span<std::byte> into) const {
  const std::string entry = shown(stat.name);
  const Entry file(zip_fopen_index(archive_.get(), stat.index, 0));
  if (!file) fail_work(name_, ": '", entry, "': ", zip_strerror(archive_.get()));
  const auto read_some = [&](std::span<std::byte> part) {
    while (!part.empty()) {
      const zip_int64_t got = zip_fread(file.get(), part.data(), part.size());
      if (got < 0) fail_work(name_, ": '", entry, "': ", zip_file_strerror(file.get()));
      if (got == 0) fail_work(name_, ": '", entry, "' is shorter than it says");
      part = part.subspan(static_cast<size_t>(got));
    }
  };
  if (offset > 0 && stat.comp_method == ZIP_CM_STORE) {
    if (zip_fseek(file.get(), static_cast<zip_int64_t>(offset), SEEK_SET) != 0)
      fail_work(name_, ": '", entry, "': ", zip_file_strerror(file.get()));
  } else if (offset > 0) {
    std::vector<std::byte> passed(size_t{1} << 16);
    for (uint64_t left = offset; left > 0;) {
      const auto part = std::span(passed).first(std::min<uint64_t>(left, passed.size()));
      read_some(part);
      left -= part.size();
    }
  }
  read_some(into);
  std::byte more{};  // at the end libzip holds the sum of what was read against the file's
  if (offset + into.size() == stat.size && zip_fread(file.get(), &more, 1) != 0)
    fail_work(name_, ": '", entry, "': ", zip_file_strerror(file.get()));
}

}  // namespace

std::unique_ptr<Container> open_zip(Bytes bytes, const std::string& name) {
  return std::make_unique<ZipContainer>(bytes, name);
}

}  // namespace limpid::torch
