#include "limpid/ranks.h"

#include <cstdlib>
#include <vector>

#include "limpid/error.h"
#include "limpid/version.h"
#include "train/mpi_module.h"

#if __has_include(<dlfcn.h>)
#include <dlfcn.h>
#include <unistd.h>
#endif

namespace limpid {

double sum_over(Ranks& ranks, double number) {
  ranks.begin_sum(&number, 1);
  ranks.wait();
  return number;
}

void require_same(Ranks& ranks, uint64_t digest, const std::string& what) {
  if (ranks.alone()) return;
  uint64_t first = digest;
  ranks.broadcast(&first, sizeof first);
  std::vector<double> apart(static_cast<size_t>(ranks.size()), 0.0);  // by rank: 1 where it is another
  apart[static_cast<size_t>(ranks.rank())] = first != digest;
  ranks.begin_sum(apart.data(), ranks.size());
  ranks.wait();
  std::string others;
  for (size_t i = 0; i < apart.size(); ++i)
    if (apart[i] != 0) others += join(others.empty() ? "" : ", ", i);
  if (!others.empty()) fail_work(what, " (ranks that differ from rank 0: ", others, ")");
}

namespace {

#if __has_include(<dlfcn.h>)

// What launchers say of how many processes there are; 0: there is none, -1: one that does not say.
int launched() {
  if (const char* size = std::getenv("OMPI_COMM_WORLD_SIZE")) return std::atoi(size);
  if (std::getenv("PMIX_RANK")) return -1;
  const char* size = std::getenv("PMI_SIZE");
  return size ? std::atoi(size) : 0;
}

// An MPI waits for a launcher that it knows: of another's processes each would be alone, or wait for ever.
void require_launcher_of(const std::string& library) {
  const bool open = library.starts_with("Open MPI"),
             for_open = std::getenv("OMPI_COMM_WORLD_SIZE") || std::getenv("PMIX_RANK");
  if (open == for_open) return;
  fail_work("mpi: the launcher of this process is of another MPI than limpid's module, which uses ", library,
            "; start with that one's mpirun", open ? ", or srun --mpi=pmix" : "");
}

std::string folder_of_this_code() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&own_ranks), &info) == 0 || !info.dli_fname) return ".";
  char* whole = ::realpath(info.dli_fname, nullptr);
  std::string path = whole ? whole : info.dli_fname;
  std::free(whole);
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

constexpr const char* k_repair =
    "; scripts/install-deps.sh build mpi, then build again (CMake says whether it finds MPI), or run one "
    "process without mpirun";

// The first of the module's places where there is one.  Its name is never looked for elsewhere: no code runs
// from a folder that the caller happens to stand in.
void* opened_module() {
  const std::string here = folder_of_this_code();
  std::string tried;
  for (const std::string& path :
       {here + "/" + k_mpi_module, here + "/limpid/" + k_mpi_module, here + "/../lib/limpid/" + k_mpi_module,
        here + "/../limpid/" + k_mpi_module}) {
    // Global: the parts of Open MPI that it loads by itself find its names only so.
    if (void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) return module;
    const std::string why = dlerror();
    if (::access(path.c_str(), F_OK) == 0) fail_work("mpi: ", why, k_repair);
    tried += (tried.empty() ? "" : ", ") + path;
  }
  fail_work("mpi: this process was started by an MPI launcher, and limpid's MPI module is not there (", tried,
            ")", k_repair);
}

template <class Function>
Function symbol(void* module, const char* name) {
  const auto found = reinterpret_cast<Function>(dlsym(module, name));
  if (!found) fail_work("mpi: the module ", k_mpi_module, " has no ", name, k_repair);
  return found;
}

std::unique_ptr<Ranks> joined() {
  const int size = launched();
  if (size == 0 || size == 1) return std::make_unique<Ranks>();
  void* module = opened_module();
  const char* version = symbol<MpiModuleVersion>(module, "limpid_mpi_version")();
  if (version != std::string(k_version))
    fail_work("mpi: the module ", k_mpi_module, " is of limpid ", version, ", expected ", k_version,
              k_repair);
  const std::string library = symbol<MpiModuleVersion>(module, "limpid_mpi_library")();
  require_launcher_of(library);
  std::string error;
  std::unique_ptr<Ranks> ranks(symbol<MpiModuleJoin>(module, "limpid_mpi_join")(&error));
  if (!ranks) fail_work("mpi: ", error);
  if (size > 0 ? ranks->size() != size : ranks->alone() && std::atoi(std::getenv("PMIX_RANK")) > 0)
    fail_work("mpi: the launcher has started ", size > 0 ? join(size) : "several", " processes, and ",
              ranks->size(), " of them find each other; limpid's module uses ", library);
  return ranks;
}

#else

std::unique_ptr<Ranks> joined() { return std::make_unique<Ranks>(); }

#endif

}  // namespace

Ranks& own_ranks() {
  static Ranks* const ranks = joined().release();  // never destroyed: a thread of its own may still use it
  return *ranks;
}

}  // namespace limpid
