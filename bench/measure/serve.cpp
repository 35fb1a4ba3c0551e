// The other end of peer.h: a program that times itself when it is told to.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/measure/peer.h"
#include "kernels/isa.h"
#include "limpid/version.h"

namespace limpid::bench {
namespace {

using nlohmann::json;

class Server {
 public:
  explicit Server(const Answering& prepare) : prepare_(prepare) {}

  json answer(const json& question) {
    if (question.contains("prepare")) {
      Sample sample = prepare_(question);
      const bool ready = static_cast<bool>(sample);
      if (ready) samples_[question["prepare"]] = std::move(sample);
      return {{"ready", ready}};
    }
    if (question.contains("run"))
      return {{"seconds", samples_.at(question["run"])(question.at("calls").get<int64_t>())}};
    if (question.contains("memory")) return {{"peak_bytes", peak_memory_of_this_process()}};
    return {{"error", "expected prepare, run or memory"}};
  }

 private:
  const Answering& prepare_;
  std::map<int, Sample> samples_;
};

bool is_asked(const Case& c, const json& question) {
  return question.at("what") == c.what && question.at("shape") == c.shape && question.at("type") == c.type &&
         question.at("mask") == c.mask && question.at("layout") == c.layout;
}

}  // namespace

void serve(const json& hello, const Answering& prepare) {
  Server server(prepare);
  std::cout << hello << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    json said;
    try {
      said = server.answer(json::parse(line));
    } catch (const std::exception& error) {  // a question that is none, or an Error of the work
      said = {{"error", error.what()}};
    }
    std::cout << said << std::endl;
  }
}

void serve_limpid() {
  const std::vector<Case> all = catalogue();
  std::map<std::pair<const Case*, std::string>, std::function<void()>>
      runs;  // once for all numbers of threads
  serve({{"peer", "limpid"}, {"version", k_version}}, [&](const json& question) -> Sample {
    for (const Case& c : all) {
      if (!is_asked(c, question)) continue;
      const std::string isa = question.at("isa");
      kernels::force_isa(isa);
      std::function<void()>& run = runs[{&c, isa}];
      if (!run) run = c.prepare();
      return timed(question.at("threads"), isa, run);
    }
    return nullptr;
  });
}

int64_t peak_memory_of_this_process() {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;) {
    int64_t kilobytes = 0;
    if (word == "VmHWM:" && in >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

}  // namespace limpid::bench
