// In a page there is one instruction set, which the compiler was told (Highway's HWY_WASM).
#include "kernels/isa.h"

#include "limpid/error.h"

namespace limpid::kernels {

std::vector<std::string> isa_names() { return {"wasm"}; }
void choose_isa() {}
void force_isa(const std::string& name) {
  if (!name.empty() && name != "wasm")
    fail_call("force_isa: instruction set \"", name, "\", expected one of this machine's: wasm");
}
std::string isa_name() { return "wasm"; }

}  // namespace limpid::kernels
