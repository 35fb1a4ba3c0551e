// The explorer: a model, a text, edits, and questions about that run.
//
//   explore::Explorer explorer(host);
//   const std::string answer = explorer.answer(R"({"ask": "next"})");
//
// docs/explore-protocol.md has the questions, and the bytes of their answers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "explore/host.h"

namespace limpid::explore {

class Explorer {
 public:
  /// Opens the host's first model with this text, or with tokens where they are given (a model may have no
  /// tokenizer); the host outlives it.  Throws Error where that fails.
  Explorer(Host& host, const std::string& text, const std::vector<int64_t>& tokens = {});
  ~Explorer();

  /// The answer to one request, or an error as one; throws nothing for any bytes.  One call at a time.
  std::string answer(std::string_view request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace limpid::explore
