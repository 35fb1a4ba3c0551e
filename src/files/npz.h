// The entries of a .npz file, one at a time, a piece at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>

namespace limpid {

/// Fills `into` with the next bytes of an entry and says how many; fewer than asked for only at its end.
using NpzPieces = std::function<size_t(std::span<std::byte> into)>;

/// Calls each(name in the zip, its bytes) for every entry, in the order of the file.
void visit_npz_entries(const std::filesystem::path& path,
                       const std::function<void(const std::string& entry, const NpzPieces& next)>& each);

}  // namespace limpid
