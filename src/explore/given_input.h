// What a model of images or series reads: as a request gives it, and before it is given any.
#pragma once

#include <string>

#include "core/json.h"
#include "limpid/model.h"

namespace limpid::explore {

/// "text", "image" or "series".
std::string kind_of_input(const Model&);

/// {"width", "height", "channels", "pixels": base64 of u8, line by line} as the model reads it: sizes and
/// numbers are made as of a file of these pixels (Model::image_input); with "prepared": true they are of the
/// network's own size, and neither resized nor cropped.  Throws Error{call} for another model,
/// and for pixels that do not fill the image.
Tensor image_of(const Model&, const JsonValue& given);

/// {"values": rows of numbers, a number a column} at the size that they have in a table; the last rows are
/// read.  Throws Error{call} for another model, for too few rows, and for numbers that are not finite.
Tensor series_of(const Model&, const JsonValue& given);

/// What stands there before anything is given: an image all black, a series that stays at its mean.  Empty
/// for a model that reads texts.
Tensor blank_input(const Model&);
std::string blank_name(const Model&);

/// At the size that the numbers of a column have in a table; 1 and 0 of a model that does not say.
double outside(const Model&, int64_t column, double inside);

}  // namespace limpid::explore
