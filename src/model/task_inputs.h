// Texts on their way through a model, several at once.
#pragma once

#include <functional>

#include "limpid/tasks.h"

namespace limpid {

/// Each text as tokens, cut to longest_text() with a note.
struct TaskInputs {
  std::vector<ModelInput> texts;
  std::vector<std::string> notes;
};
TaskInputs task_inputs(const Model&, const std::vector<std::string>& texts);

/// What a reader should know of words that the tokenizer does not have, or "": `named` is "the text", "text
/// 3".
std::string note_of_unknown(const Tokenizer&, const std::string& text, const ModelInput&,
                            const std::string& named);

/// Runs them, texts of like lengths together, and calls `each` with a text's number and its part of the
/// value: [T,...] without what stands behind its end, or the row of a value without T.
void run_texts(const Model&, const std::vector<ModelInput>&, const std::string& value, const BatchOptions&,
               const std::function<void(size_t text, const float* rows, int64_t width)>& each);

/// Throws Error{call} unless there are images and the model reads some.
void require_images(const Model&, const std::vector<ImageSource>&);

/// Reads and runs them, several at once, and calls `each` with an image's number and its part of the value.
void run_images(const Model&, const std::vector<ImageSource>&, const std::string& value, const BatchOptions&,
                const std::function<void(size_t image, const float* rows, int64_t width)>& each);

/// exp(x - most) / sum, in double.
std::vector<double> softmax_of(const float* logits, int64_t count);

/// "text 3", or "the text" where there is one.
std::string text_name(size_t number, size_t count);

/// Throws Error{work} where one of the numbers is not finite; `of`: "the embedding of text 3".
void require_finite(const float* numbers, int64_t count, const std::string& of);

}  // namespace limpid
