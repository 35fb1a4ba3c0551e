// picture: the image that the network read, as bytes, and how its patches lie.
#include <algorithm>
#include <cmath>

#include "explore/state.h"

namespace limpid::explore {

namespace {

// One number a channel; `otherwise` where none is given.
double of_channel(const std::vector<double>& given, int64_t k, double otherwise) {
  return given.empty() ? otherwise : given[given.size() == 1 ? 0 : static_cast<size_t>(k)];
}

// What the number was before the image processor's last steps; of an image that came without one: from its
// least number, black, to its largest, white.
Tensor bytes_of_pixels(const Tensor& pixels, const std::optional<ImageProcessor>& processor) {
  const Shape& shape = pixels.shape();  // B, K, Y, X
  const int64_t channels = shape[1].size, cells = shape[2].size * shape[3].size;
  const Tensor numbers = pixels.to(DType::f32);
  const float* x = numbers.data<float>();
  const auto [low, high] = std::minmax_element(x, x + channels * cells);
  const double least = *low, span = *high > *low ? *high - *low : 1;
  Tensor out(DType::u8, {{Axis::Y, shape[2].size}, {Axis::X, shape[3].size}, {Axis::K, channels}});
  for (int64_t k = 0; k < channels; ++k)
    for (int64_t i = 0; i < cells; ++i) {
      const double value = x[k * cells + i];
      const double byte =
          processor ? (value * of_channel(processor->std, k, 1) + of_channel(processor->mean, k, 0)) /
                          processor->rescale
                    : (value - least) / span * 255;
      out.data<uint8_t>()[i * channels + k] = static_cast<uint8_t>(std::lround(std::clamp(byte, 0.0, 255.0)));
    }
  return out;
}

}  // namespace

void ask_picture(State& state, Request& request, Answer& answer) {
  Run& run = asked_run(state, request, answer);
  const Model& model = run.model();
  if (!reads_images(model.config()))
    fail_call("picture: this model reads ", reads_series(model.config()) ? "series" : "texts",
              ", not images");
  const PatchInputs& o = *std::get<Architecture>(model.config()).patches;
  answer.fields["name"] = run.opened().subject.input_name;
  answer.fields["patch"] = o.size;
  answer.fields["lines"] = o.height / o.size;
  answer.fields["columns"] = o.width / o.size;
  answer.fields["first"] = o.tokens.size();
  answer.add("pixels", bytes_of_pixels(run.opened().subject.input, model.tasks().image));
}

}  // namespace limpid::explore
