// What a pickle makes: values, counted, and the few functions of Python's that stand for one.
#pragma once

#include "files/torch/pickle.h"

namespace limpid::torch {

enum class Function : int64_t {
  ordered_dict,
  rebuild_tensor,
  rebuild_tensor_v2,
  rebuild_tensor_v3,
  rebuild_parameter,
  rebuild_parameter_with_state,
  rebuild_from_type,
  tensor_type,   // torch.Tensor, torch.nn.Parameter: what rebuild_from_type makes
  storage_type,  // torch.FloatStorage, ...
  size,
  device,
  encode,  // how bytes are pickled for Python 2
  set,
  bytes,
};

/// A name for a message, cut.
inline std::string_view cut(std::string_view name) { return name.substr(0, 200); }

class Objects {
 public:
  Objects(Bytes bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  const Value& operator[](Ref ref) const { return pickled_.values[ref]; }
  Value& operator[](Ref ref) { return pickled_.values[ref]; }

  Ref add(Value value);
  Ref add(Kind kind, int64_t number) { return add(Value{kind, number, 0, {}, {}}); }
  Ref add_text(Kind kind, std::string_view text) { return add(Value{kind, 0, 0, text, {}}); }
  Ref add_made(Kind kind, std::string text);
  Ref add_items(Kind kind, std::vector<Ref> items) { return add(Value{kind, 0, 0, {}, std::move(items)}); }
  /// Little endian, two's complement, as pickles have it.
  Ref add_integer(std::string_view little_endian);

  /// A function or class by its names; throws PickleRefusal where it is none of ours.
  Ref global(std::string_view module, std::string_view function);
  Ref call(Ref function, Ref arguments);
  /// What torch.save puts in place of a storage: ('storage', type, key, device, count[, view]).
  Ref persistent(Ref id);
  /// Sets attributes of an object: an OrderedDict's are let be (its _metadata), others are refused.
  void build(Ref object, Ref state) const;

  Pickled take(Ref root, size_t size);

  /// Where in the pickle the machine stands, for messages.
  size_t at = 0;
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    fail_work(name_, ": the pickle, at byte ", at, ": ", parts...);
  }
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    throw PickleRefusal(refusal(join(parts...)));
  }
  void expect(Ref, Kind, const char* what) const;
  Bytes bytes() const { return bytes_; }

 private:
  std::string refusal(const std::string& asked) const;
  Ref call_with(const Value& function, const std::vector<Ref>& arguments, int depth);
  Ref rebuild_tensor(const std::vector<Ref>& arguments, const ElementType* type);
  Ref encoded(const std::vector<Ref>& arguments);
  Ref ordered_dict(const std::vector<Ref>& arguments);
  Ref device(const std::vector<Ref>& arguments);
  std::vector<Ref> few(Ref tuple, const char* what) const;
  std::vector<int64_t> whole_numbers(Ref, const char* what) const;
  int64_t whole_number(Ref, const char* what) const;

  Bytes bytes_;
  const std::string& name_;
  Pickled pickled_;
  uint64_t items_ = 0, made_ = 0;  // what calls copied
};

}  // namespace limpid::torch
