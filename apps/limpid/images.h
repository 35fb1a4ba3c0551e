// Images that a call names.
#pragma once

#include <string>
#include <vector>

#include "limpid/tasks.h"

namespace limpid::command {

/// The images that these arguments name: files, and folders with all their .png, .jpg and .jpeg files; a name
/// may begin with @.  Throws Error{call} for none, and for what is neither (a text, for a model of images).
std::vector<ImageSource> images_named(const std::vector<std::string>& arguments);
/// One of them, for a call that takes one.
ImageSource image_named(const std::string& argument);

/// Throws Error{call} where an argument names a PNG or JPEG file that is there: the model at hand reads
/// texts.
void refuse_image(const std::string& argument);

}  // namespace limpid::command
