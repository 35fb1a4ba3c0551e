// The engine: plans, made once for what they have seen, and arenas.
//
// Runs of one engine may go on beside each other: the plans are shared and, once made, only read; each run
// takes an arena of its own, which the next run uses again.
#include <atomic>
#include <list>
#include <mutex>

#include "engine/observe.h"
#include "engine/one_run.h"
#include "kernels/isa.h"

namespace limpid {

struct LIMPID_LOCAL Engine::Impl {
  explicit Impl(const Graph& g) : graph(g) {}

  const Graph& graph;
  std::mutex mutex;                   // of the plans and the arenas
  std::map<std::string, Plan> plans;  // never taken out: a run reads its plan without the mutex
  std::list<Tensor> arenas;           // those that no run is using
  std::atomic<size_t> last_arena_bytes = 0;

  const Plan& plan_for(const std::map<int, Shape>& bound, const PlanRequest& request);
};

const Plan& Engine::Impl::plan_for(const std::map<int, Shape>& bound, const PlanRequest& request) {
  std::string key = join(request.plain, ' ', name(request.real), '|');
  for (int value : request.wanted) key += join(value, ' ');
  key += '|';
  for (int value : request.edited) key += join(value, ' ');
  key += '|';
  for (int value : request.streamed) key += join(value, ' ');
  key += '|';
  for (int value : request.into) key += join(value, ' ');
  key += '|';
  for (const auto& [value, places] : request.rows) {
    key += join(value, ':');
    for (int64_t place : places) key += join(place, ' ');
  }
  for (const auto& [value, shape] : bound)
    if (graph.value(value).kind == Value::Kind::input) key += join('|', value, shape.text());
  const std::lock_guard lock(mutex);
  const auto found = plans.find(key);
  if (found != plans.end()) return found->second;
  std::vector<Shape> shapes = bind_shapes(graph, bound);
  PlanRequest resolved_request = request;
  for (auto& [value, places] : resolved_request.rows) {
    const Shape& shape = shapes[static_cast<size_t>(value)];
    places = resolved(places, shape[rows_axis(shape)].size);
  }
  return plans.emplace(key, make_plan(graph, std::move(shapes), resolved_request)).first->second;
}

namespace {

// Takes an arena out of those that are free, and puts it back when the run ends or fails.
class ArenaOfOneRun {
 public:
  ArenaOfOneRun(std::mutex& mutex, std::list<Tensor>& free, size_t bytes) : mutex_(mutex), free_(free) {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) own_.splice(own_.begin(), free_, free_.begin());
    }
    if (own_.empty()) own_.emplace_back();
    if (own_.front().bytes() >= bytes) return;
    own_.front() = Tensor();  // first: two at once would double the peak
    own_.front() = Tensor(DType::u8, Shape::unnamed({static_cast<int64_t>(bytes)}));
  }
  ~ArenaOfOneRun() {
    const std::lock_guard lock(mutex_);
    free_.splice(free_.begin(), own_);
  }
  ArenaOfOneRun(const ArenaOfOneRun&) = delete;
  ArenaOfOneRun& operator=(const ArenaOfOneRun&) = delete;

  std::byte* bytes() { return static_cast<std::byte*>(own_.front().raw()); }

 private:
  std::mutex& mutex_;
  std::list<Tensor>&free_, own_;
};

}  // namespace

Engine::Engine(const Graph& graph) : impl_(std::make_unique<Impl>(graph)) {
  // Before any kernel is built: a kernel keeps the instruction set it was built for, and the first one of a
  // process would run on another than the rest (which broke the same bits after a resume, under a forced
  // set).
  kernels::choose_isa();
}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;

size_t Engine::arena_bytes() const { return impl_->last_arena_bytes; }

RunResult Engine::run(const std::map<std::string, ConstView>& values, const RunOptions& given) const {
  RunOptions options = given;
  if (options.real != DType::f32 && options.real != DType::f64)
    fail_call("run: networks run in f32 or f64, not ", name(options.real));
  if (options.real == DType::f64) options.plain = true;
  const Graph& graph = impl_->graph;
  const Request request = request_of(graph, options);
  PlanRequest plan_request;
  plan_request.wanted = request.full;
  plan_request.plain = options.plain;
  plan_request.real = options.real;
  plan_request.wanted.insert(request.summary.begin(), request.summary.end());
  plan_request.rows = request.rows;
  for (const auto& [value, edits] : request.edits) plan_request.edited.insert(value);
  for (const auto& [value, wanted] : request.streamed) plan_request.streamed.insert(value);
  for (const auto& [value, view] : request.into) {
    plan_request.wanted.insert(value);
    plan_request.into.insert(value);
  }

  const std::map<int, ConstView> bound = bind(graph, values);
  std::map<int, Shape> shapes;
  std::vector<ConstView> views(graph.values().size());
  std::vector<Tensor> converted;
  for (const auto& [id, view] : bound) {
    views[static_cast<size_t>(id)] = in_run_type(graph.value(id), view, options.real, converted);
    shapes[id] = views[static_cast<size_t>(id)].shape();
  }
  for (const auto& [id, matrix] : request.stored) {
    if (bound.count(id))
      fail_call("run: '", graph.value(id).name, "' is given twice, as numbers and as it is stored");
    shapes[id] = graph.value(id).shape;
  }
  for (const auto& [id, room] : request.rooms) {
    if (bound.count(id)) fail_call("run: '", graph.value(id).name, "' is given twice, in f32 and as a room");
    shapes[id] = room->rows.shape();
  }
  require_positions(graph, shapes, options.context);
  const Plan& plan = impl_->plan_for(shapes, plan_request);
  for (int id : plan.needed_inputs)
    if (!bound.count(id) && !request.stored.count(id) && !request.rooms.count(id))
      fail_call("run: '", graph.value(id).name, "' ", graph.value(id).shape.text(), " is missing");

  for (const auto& [value, view] : request.into) require_fits(graph, plan, value, view, options.real);
  require_apart(graph, request.into, bound);

  ArenaOfOneRun arena(impl_->mutex, impl_->arenas, plan.arena_bytes);
  impl_->last_arena_bytes = plan.arena_bytes;
  return OneRun(graph, plan, request, options, arena.bytes(), std::move(views)).run();
}

const Tensor& RunResult::operator[](const std::string& name) const {
  auto found = values.find(name);
  if (found == values.end()) found = values.find(canonical_name(name));
  if (found != values.end()) return found->second;
  std::string list;
  for (const auto& [known, tensor] : values) list += (list.empty() ? "" : ", ") + known;
  fail_call("'", name, "' was not kept by this run; it kept ", list.empty() ? "nothing" : list);
}

}  // namespace limpid
