#include "bench/measure/bench.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "bench/measure/catalogue.h"
#include "bench/measure/peer.h"
#include "bench/measure/rounds.h"
#include "core/threads.h"
#include "kernels/isa.h"
#include "limpid/error.h"

namespace limpid::bench {
namespace {

constexpr double k_quick_seconds = 40;

// Where something runs.
struct Place {
  std::string isa;
  int threads = 1;
  auto operator<=>(const Place&) const = default;
};

// The limits that a machine is known by, whether or not a kernel is held to them.
std::vector<LimitKey> known_limits(const Place& at) {
  using Kind = LimitKey::Kind;
  std::vector<LimitKey> keys = {{Kind::multiply_adds}};
  if (has_bf16_products()) keys.push_back({Kind::bf16_products});
  for (const Footprint& f : footprints())
    keys.push_back({Kind::read, f.per_thread ? f.bytes * at.threads : f.bytes});
  for (const int queries : {1, 4})
    for (const Stored stored : {Stored::f32, Stored::bf16, Stored::f16, Stored::int8})
      keys.push_back({Kind::convert, 0, stored, queries});
  return keys;
}

class Bench {
 public:
  Bench(const Request& request, const Progress& progress) : request_(request), progress_(progress) {
    check();
    if (!request_.limits_only) cases_ = select(catalogue(), request_.only);
    if (request_.quick && request_.only.empty())
      std::erase_if(cases_, [](const Case& c) { return !c.quick; });
    for (const std::string& command : request_.peers) peers_.push_back(std::make_unique<Peer>(command));
  }

  Results run() {
    for (const Place& at : places_) add_limits(at);
    for (const Case& c : cases_)
      for (const Place& at : places_) add_rows(c, at);
    Rounds::Options options;
    options.rounds = request_.rounds;
    if (request_.quick) options.at_most = k_quick_seconds;
    options.progress = progress_;
    rounds_.run(options);
    return results();
  }

 private:
  struct Held {  // a limit
    Place at;
    LimitKey key;
    Limit limit;
    size_t entry;
  };
  struct Timed {
    const Case* work;
    Place at;
    const Peer* peer;  // none: limpid
    size_t entry;
  };

  void check() {
    if (request_.rounds < 1) fail_call("--rounds is ", request_.rounds, ", expected 1 or more");
    std::vector<int> counts = request_.threads;
    if (counts.empty()) counts = {1, threads()};
    for (const int count : counts)
      if (count < 1) fail_call("--threads is ", count, ", expected 1 or more");
    std::vector<std::string> isas = request_.isas;
    const std::string in_use = kernels::isa_name();
    if (isas.empty()) isas = {in_use};
    for (const std::string& isa : isas) {
      kernels::force_isa(isa);  // fails where this machine has none of the name
      for (const int count : std::set<int>(counts.begin(), counts.end())) places_.push_back({isa, count});
    }
    kernels::force_isa(in_use);
  }

  void add_limits(const Place& at) {
    kernels::force_isa(at.isa);
    if (request_.only.empty())
      for (const LimitKey& key : known_limits(at)) add_limit(at, key);
    for (const Case& c : cases_)
      for (const Bound& bound : c.bounds) add_limit(at, bound.limit);
  }

  void add_limit(const Place& at, const LimitKey& key) {
    if (find(at, key)) return;
    Limit limit = make_limit(key);
    const size_t entry = rounds_.add(timed(at.threads, at.isa, limit.run));
    held_.push_back({at, key, std::move(limit), entry});
  }

  const Held* find(const Place& at, const LimitKey& key) const {
    const auto same = [&](const Held& h) { return h.at == at && h.key == key; };
    const auto found = std::find_if(held_.begin(), held_.end(), same);
    return found == held_.end() ? nullptr : &*found;
  }

  void add_rows(const Case& c, const Place& at) {
    kernels::force_isa(at.isa);
    std::function<void()>& run =
        prepared_[{&c, at.isa}];  // once for all numbers of threads: a network is large
    if (!run) run = c.prepare();
    timed_.push_back({&c, at, nullptr, rounds_.add(timed(at.threads, at.isa, run))});
    for (const std::unique_ptr<Peer>& peer : peers_)
      if (const std::optional<Sample> sample = peer->prepare(c, at.threads, at.isa))
        timed_.push_back({&c, at, peer.get(), rounds_.add(*sample)});
  }

  // Seconds that a call cannot be faster than.
  double least_seconds(const Case& c, const Place& at) const {
    double least = 0;
    for (const Bound& bound : c.bounds) {
      const Held& held = *find(at, bound.limit);
      least = std::max(least, bound.amount * rounds_.best(held.entry) / held.limit.amount(at.threads));
    }
    return least;
  }

  Results results() {
    Results all;
    all.rounds = rounds_.rounds();
    for (const Held& h : held_) {
      const double amount = h.limit.amount(h.at.threads);
      all.limits.push_back({h.limit.name, h.limit.type, h.limit.unit, h.at.isa, h.at.threads,
                            amount / rounds_.best(h.entry), amount / rounds_.median(h.entry)});
    }
    for (const Timed& t : timed_) {
      const Case& c = *t.work;
      const double best = rounds_.best(t.entry);
      Row row{
          c.what, c.shape, c.type, c.mask, c.layout, t.at.isa, t.at.threads, best, rounds_.median(t.entry)};
      row.share = least_seconds(c, t.at) / best;
      if (t.peer) {
        row.peer = t.peer->name(), row.version = t.peer->version();
        if (!t.peer->isa().empty()) row.isa = t.peer->isa();
      }
      all.rows.push_back(std::move(row));
    }
    all.peak_memory.emplace_back("limpid", peak_memory_of_this_process());
    for (const std::unique_ptr<Peer>& peer : peers_)
      all.peak_memory.emplace_back(peer->name(), peer->peak_memory());
    return all;
  }

  const Request& request_;
  const Progress& progress_;
  std::vector<Case> cases_;
  std::vector<Place> places_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::map<std::pair<const Case*, std::string>, std::function<void()>> prepared_;
  std::vector<Held> held_;
  std::vector<Timed> timed_;
  Rounds rounds_;
};

}  // namespace

Results measure(const Request& request, const Progress& progress) { return Bench(request, progress).run(); }

}  // namespace limpid::bench
