#include "bench/measure/peer.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "limpid/error.h"

namespace limpid::bench {
namespace {

// After work on several threads a library's idle ones spin for a while, on the cores of whoever is next.
constexpr auto k_spinning = std::chrono::milliseconds(10);

// Not what limpid set for itself, nor what makes a library choose worse kernels than it would.
constexpr const char* k_not_inherited[] = {"OMP_WAIT_POLICY", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"};

[[noreturn]] void become(const std::string& command, int in, int out) {
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  for (const char* name : k_not_inherited) unsetenv(name);
  std::signal(SIGPIPE, SIG_DFL);
  execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), static_cast<char*>(nullptr));
  _exit(127);
}

}  // namespace

Peer::Process::Process(const std::string& command) {
  int to_it[2], from_it[2];
  if (pipe2(to_it, O_CLOEXEC) != 0) fail_work("bench: no pipe to ", command);
  if (pipe2(from_it, O_CLOEXEC) != 0) {
    close(to_it[0]), close(to_it[1]);
    fail_work("bench: no pipe from ", command);
  }
  std::fflush(nullptr);
  id = fork();
  if (id == 0) become(command, to_it[0], from_it[1]);
  close(to_it[0]), close(from_it[1]);
  to = fdopen(to_it[1], "w"), from = fdopen(from_it[0], "r");
}

Peer::Process::~Process() {
  std::fclose(to);
  std::fclose(from);
  if (id > 0) waitpid(id, nullptr, 0);
}

Peer::Peer(const std::string& command) : command_(command), process_(command) {
  if (process_.id < 0) fail_work("bench: cannot start ", command);
  const nlohmann::json hello = answer();
  if (!hello.contains("peer") || !hello.contains("version"))
    fail_work("bench: ", command, " began with ", hello.dump(), ", expected its name and version");
  name_ = hello["peer"];
  version_ = hello["version"];
  isa_ = hello.value("isa", "");
}

nlohmann::json Peer::answer() {
  std::string line;
  for (int c = std::getc(process_.from); c != '\n'; c = std::getc(process_.from)) {
    if (c == EOF) fail_work("bench: ", command_, " has ended");
    line += static_cast<char>(c);
  }
  const nlohmann::json said = nlohmann::json::parse(line, nullptr, false);
  if (!said.is_object())
    fail_work("bench: ", command_, " answered \"", line, "\", expected an object of JSON");
  if (said.contains("error")) fail_work("bench: ", command_, ": ", said["error"].dump());
  return said;
}

nlohmann::json Peer::ask(const nlohmann::json& question) {
  const std::string line = question.dump() + '\n';
  if (std::fputs(line.c_str(), process_.to) < 0 || std::fflush(process_.to) != 0)
    fail_work("bench: ", command_, " has ended");
  return answer();
}

std::optional<Sample> Peer::prepare(const Case& c, int threads, const std::string& isa) {
  const int id = prepared_++;
  const nlohmann::json said = ask({{"prepare", id},
                                   {"what", c.what},
                                   {"shape", c.shape},
                                   {"type", c.type},
                                   {"mask", c.mask},
                                   {"layout", c.layout},
                                   {"threads", threads},
                                   {"isa", isa},
                                   {"sizes", c.sizes}});
  if (!said.value("ready", false)) return std::nullopt;
  return [this, id, threads](int64_t calls) {
    const double seconds = ask({{"run", id}, {"calls", calls}}).at("seconds");
    if (threads > 1) std::this_thread::sleep_for(k_spinning);
    return seconds;
  };
}

int64_t Peer::peak_memory() { return ask({{"memory", true}}).value("peak_bytes", int64_t{0}); }

}  // namespace limpid::bench
