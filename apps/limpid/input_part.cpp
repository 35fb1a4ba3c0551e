// Which part of an encoder-decoder is shown.
#include "limpid/input.h"

namespace limpid::command {

void add_part_option(CLI::App& sub, PartCall& call, const std::string& group) {
  sub.add_option("--part", call.part,
                 "Of an encoder-decoder: the decoder, which writes; the encoder, which reads; or cross, the "
                 "attention of "
                 "the one to the other (decoder).")
      ->type_name("decoder|encoder|cross")
      ->check(CLI::IsMember({"decoder", "encoder", "cross"}).description(""))
      ->group(group);
}

std::optional<NetworkPart> PartCall::of(const Trace& trace) const {
  if (!part.empty()) return part_named(part);
  const bool whole = trace.graph && has_encoder(*trace.graph);
  return whole ? std::optional(NetworkPart::decoder) : std::nullopt;
}

std::optional<Trace> PartCall::cut(const Trace& trace) const {
  const std::optional<NetworkPart> asked = of(trace);
  return asked ? std::optional(part_of(trace, *asked)) : std::nullopt;
}

std::vector<Observation> PartCall::reads(
    const Trace& begun, const std::function<std::vector<Observation>(const Trace&)>& asks) const {
  const std::optional<NetworkPart> asked = of(begun);
  return asked ? part_reads(begun, *asked, asks) : asks(begun);
}

}  // namespace limpid::command
