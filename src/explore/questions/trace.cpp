// trace: the run as a trace file, as `limpid trace -o` writes it.
#include "explore/state.h"

namespace limpid::explore {

void ask_trace(State& state, Request& request, Answer& answer) {
  constexpr size_t k_most_patterns = 1024;
  std::vector<Observation> observe;
  if (request.has("observe"))
    for (const std::string& text : request.texts("observe", k_most_patterns))
      observe.push_back(observation_of(text));
  const bool parameters = request.flag("parameters");
  Run& run = asked_run(state, request, answer);
  for (const Observation& each : observe) values_named(run.graph(), each.pattern);
  const Trace trace = run.alone(observe, parameters);
  answer.fields["name"] = "trace.safetensors";
  answer.fields["notes"] = trace.notes;
  answer.add_file(trace_bytes(trace));
}

}  // namespace limpid::explore
