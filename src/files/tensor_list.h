// A TensorSource that lists what its file holds when it is opened: a format adds its entries and reads one.
#pragma once

#include "limpid/tensor_source.h"

namespace limpid {

class TensorList : public TensorSource {
 public:
  const std::string& name() const override { return name_; }
  std::vector<std::string> names() const override;
  const Entry* find(std::string_view name) const override;
  Tensor read(std::string_view name) const override;
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }

 protected:
  explicit TensorList(std::string name) : name_(std::move(name)) {}
  /// Throws Error{work} if there is one of that name.
  void add(Entry entry);
  virtual Tensor read_entry(const Entry& entry) const = 0;

  std::map<std::string, std::string> metadata_;

 private:
  std::string name_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace limpid
