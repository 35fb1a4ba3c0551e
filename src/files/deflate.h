// Bytes packed by deflate (RFC 1951) as closely as zlib can: the same bytes for the same input and zlib.
#pragma once

#include <string>
#include <string_view>

namespace limpid {

/// The bare stream, as zip archives hold it.  Throws Error{work} where there is no memory for it.
std::string deflated(std::string_view bytes);
/// One member of gzip (RFC 1952), with nothing of when or where it was made.
std::string gzipped(std::string_view bytes);

}  // namespace limpid
