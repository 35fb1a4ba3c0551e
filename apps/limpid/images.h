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

/// Whether the argument names a PNG or JPEG file that is there, or a folder.
bool names_images(const std::string& argument);

/// Of a model of texts and images the one that reads what is given; any other as it is.
Model tower_for(Model, bool images);

/// Throws Error{call} where an argument names a PNG or JPEG file that is there: the model at hand reads
/// texts.
void refuse_image(const std::string& argument);

}  // namespace limpid::command
