// Which columns of a table are meant: by name, by number, or by the names that are usual in the field.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "data/table.h"

namespace limpid::data {

/// A column that a reader wants.
struct WantedColumn {
  std::string_view what;                    // "texts", for messages
  std::string_view option;                  // what the caller names it by: "text"
  std::string asked;                        // by name or number; empty: guessed
  std::span<const std::string_view> usual;  // small letters, the likeliest first
  std::string_view header = "header";       // how the caller says that the first row names the columns
};

using TwoWanted = std::array<WantedColumn, 2>;

/// Whether a first row names the columns: one is asked for by a name, or a field is a usual name.
bool names_columns(const Fields& first, const TwoWanted& wanted);

/// The column of that name, or of that number; nothing where there is none.
std::optional<size_t> find_column(const Table& table, const std::string& asked);

/// The column that is asked for, or has a usual name; nothing where there is none.  Throws Error{call} for
/// one that is asked for and not there.
std::optional<size_t> usual_or_asked(const Table& table, const WantedColumn& wanted);

/// The columns that are asked for or have a usual name; where the table has two and one is known, the other
/// is the other.  Nothing where neither is known of two.  Throws Error{call} that lists the columns
/// otherwise.
std::optional<std::array<size_t, 2>> two_columns(const Table& table, const TwoWanted& wanted);

/// Throws Error{call}: "which column holds the texts? ..."
[[noreturn]] void fail_to_guess(const Table& table, const WantedColumn& wanted);

}  // namespace limpid::data
