#include "kernels/targets.h"
//
#include "kernels/isa.h"

#include <atomic>
#include <cstdlib>

#include "hwy/targets.h"
#include "limpid/error.h"

namespace limpid::kernels {
namespace {

struct Isa {
  const char* name;
  int64_t target;
};

constexpr Isa k_known[] = {{"avx512", HWY_AVX3}, {"avx2", HWY_AVX2}, {"neon", HWY_NEON}};
constexpr int64_t k_plain = HWY_TARGETS & (HWY_SCALAR | HWY_EMU128);

std::atomic<bool> chosen{false};

// Asked once: Highway 1.0.3 goes back to the best target whenever it is asked.
int64_t available() {
  static const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return targets;
}

std::vector<Isa> isas() {
  std::vector<Isa> all;
  for (const Isa& isa : k_known) {
    if (available() & isa.target) all.push_back(isa);
  }
  if (k_plain || all.empty()) all.push_back({"plain", k_plain});
  return all;
}

void use(const std::string& name, const char* where) {
  std::string known;
  for (const Isa& isa : isas()) {  // asks Highway, so before the choice
    if (name == isa.name || name.empty()) {
      hwy::GetChosenTarget().Update(isa.target);
      chosen = true;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(isa.name);
  }
  fail_call(where, ": instruction set \"", name, "\", expected one of this machine's: ", known);
}

}  // namespace

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Isa& isa : isas()) names.push_back(isa.name);
  return names;
}

void choose_isa() {
  if (chosen) return;
  const char* wanted = std::getenv("LIMPID_ISA");
  use(wanted ? wanted : "", "LIMPID_ISA");
}

void force_isa(const std::string& name) { use(name, "force_isa"); }

std::string isa_name() {
  choose_isa();
  const size_t index = hwy::GetChosenTarget().GetIndex();
  for (const Isa& isa : isas()) {
    hwy::ChosenTarget other;
    other.Update(isa.target);
    if (other.GetIndex() == index) return isa.name;
  }
  return "plain";
}

}  // namespace limpid::kernels
