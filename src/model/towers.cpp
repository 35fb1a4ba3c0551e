// A network of texts and images as the two that it is made of.
#include "model/impl.h"

namespace limpid {

namespace {

constexpr std::string_view k_image = "image.", k_pairs = "pairs.";

// What a parameter is called in the tower; nothing where it is none of its own.
std::optional<std::string> name_in(Tower tower, const std::string& name) {
  if (name.starts_with(k_pairs) || name.starts_with(k_image) != (tower == Tower::images)) return {};
  return tower == Tower::images ? name.substr(k_image.size()) : name;
}

template <class T>
std::map<std::string, T> of_tower(Tower tower, std::map<std::string, T>& all, bool take) {
  std::map<std::string, T> out;
  for (auto& [name, value] : all)
    if (const auto here = name_in(tower, name)) out.emplace(*here, take ? std::move(value) : T(value));
  return out;
}

}  // namespace

std::unique_ptr<Model::Impl> Model::Impl::make_tower(Tower tower, bool take) {
  if (!has_towers(config))
    fail_call("this network is no two that read texts and images, so it has no towers");
  auto out = std::make_unique<Impl>(tower_of(std::get<Architecture>(config), tower),
                                    tower == Tower::texts ? tokenizer : nullptr,
                                    join(title, ", its tower of ", name(tower)));
  out->tasks = tasks;
  out->parameters = of_tower(tower, parameters, take);
  out->stored = of_tower(tower, stored, take);
  return out;
}

const Model& Model::tower(Tower tower) const {
  const std::lock_guard lock(impl_->mutex);
  std::unique_ptr<Model>& made = impl_->towers[tower];
  if (!made) made.reset(new Model(impl_->make_tower(tower, false)));
  return *made;
}

Model Model::take_tower(Tower tower) && { return Model(impl_->make_tower(tower, true)); }

RunResult Model::run(const TokenBatch& texts, const Tensor& pixels, const RunOptions& options) const {
  if (!has_towers(impl_->config))
    fail_call("run: this network does not read texts and images; give the one that it reads");
  Impl::Batch batch;
  if (!texts.ids.empty()) batch = impl_->batch_of(texts);
  for (const auto& [name, tensor] : impl_->parameters) batch.bound.views[name] = tensor;
  if (pixels.count() > 0) batch.bound.views["pixels"] = pixels;
  return impl_->engine->run(batch.bound.views, impl_->with_stored(options));
}

}  // namespace limpid
