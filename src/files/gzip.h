// gzip (RFC 1952): members one after another, each with its length and check sum.
#pragma once

#include <string>
#include <string_view>

#include "limpid/files.h"

namespace limpid {

bool is_gzip(Bytes bytes);

/// What is inside.  Throws Error{work} naming the file: one that is cut off, damaged, has something else
/// behind its last member, or unpacks to more than most_unpacked (growth.h).
std::string gunzip(Bytes bytes, std::string_view name);

/// A whole file, unpacked if it is of gzip.
std::string read_file_unpacked(const std::filesystem::path& path);

}  // namespace limpid
