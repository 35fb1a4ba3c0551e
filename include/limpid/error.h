// Errors.  Every public function that can fail throws limpid::Error, and nothing else of its own.
//
// A message repairs the call: it names what was given, what was expected, and where
// ("attention: k is [2,9,4,64], expected [B=2,S=8,G=4,D=64]").
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "limpid/api.h"

namespace LIMPID_API limpid {

class Error : public std::runtime_error {
 public:
  enum class Kind {
    call,  // the call was wrong: other arguments would work (the command exits with 2)
    work,  // the call was right, the work failed: a full disk, a truncated file (the command exits with 1)
  };
  Error(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

/// The arguments written one after another: join("row ", 3) is "row 3".
template <class... Parts>
std::string join(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws Error{call} with the joined message.
template <class... Parts>
[[noreturn]] void fail_call(const Parts&... parts) {
  throw Error(Error::Kind::call, join(parts...));
}

/// Throws Error{work} with the joined message.
template <class... Parts>
[[noreturn]] void fail_work(const Parts&... parts) {
  throw Error(Error::Kind::work, join(parts...));
}

}  // namespace LIMPID_API limpid
