// What the shared library exports: everything that a public header declares, and nothing else.  Every public
// header opens its namespace with LIMPID_API; the library is compiled with hidden symbols.
#pragma once

#if defined(__GNUC__)
#define LIMPID_API [[gnu::visibility("default")]]
// For the inside of an exported class (its Impl), which may hold what is not exported.
#define LIMPID_LOCAL [[gnu::visibility("hidden")]]
#else
#define LIMPID_API
#define LIMPID_LOCAL
#endif
