// Another program that times itself, in turn with this one: another library, or another build of limpid
// (`limpid bench --serve`).  It is started with a command, and then answers lines of JSON with lines of JSON:
//
//   it begins   {"peer": "PyTorch", "version": "2.15.0"}             and "isa", where it knows it
//   asked       {"prepare": 3, "what": "attention_forward", "shape": "c (12,1024,64)", "type": "f32",
//                "mask": "causal", "layout": "heads", "threads": 1, "isa": "avx512",
//                "sizes": {"B": 1, "H": 12, "G": 12, "T": 1024, "S": 1024, "D": 64}}
//   answers     {"ready": true}   or {"ready": false} where it has nothing of the kind
//   asked       {"run": 3, "calls": 20}
//   answers     {"seconds": 0.0421}                                  all calls together
//   asked       {"memory": true}
//   answers     {"peak_bytes": 530579456}                            the most it ever held
//
// {"error": "..."} may be any answer.  It ends when its standard input does.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "bench/measure/catalogue.h"
#include "bench/measure/rounds.h"

namespace limpid::bench {

class Peer {
 public:
  /// Starts `command` with sh.  Throws Error{work} where it does not begin as above.
  explicit Peer(const std::string& command);

  const std::string& name() const { return name_; }
  const std::string& version() const { return version_; }
  const std::string& isa() const { return isa_; }  // "" where it does not say

  /// What times this case there; nothing where it cannot.  The peer outlives it.
  std::optional<Sample> prepare(const Case& what, int threads, const std::string& isa);
  /// Bytes; 0 where it does not know.
  int64_t peak_memory();

 private:
  nlohmann::json ask(const nlohmann::json& question);
  nlohmann::json answer();

  /// A running program and the two pipes to it; ends it by closing them.
  struct Process {
    explicit Process(const std::string& command);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    pid_t id = -1;
    std::FILE *to = nullptr, *from = nullptr;
  };

  std::string command_, name_, version_, isa_;
  Process process_;
  int prepared_ = 0;
};

/// What a program that answers has for a question {"prepare": ...}; empty where it has nothing of the kind.
using Answering = std::function<Sample(const nlohmann::json& question)>;
/// Answers on standard input and output, until the input ends.
void serve(const nlohmann::json& hello, const Answering& prepare);
/// The same for limpid itself.
void serve_limpid();

/// The most memory that this process ever held, in bytes (Linux; 0 elsewhere).
int64_t peak_memory_of_this_process();

}  // namespace limpid::bench
