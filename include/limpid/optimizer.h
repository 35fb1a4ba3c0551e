// The optimiser: AdamW, clipping by the norm of the gradient, and a learning rate that warms up and falls.
//
//   AdamW adam(graph, parameters);
//   const Schedule schedule{.warm_up = 20, .steps = 500};
//   for (int64_t step = 0; step < schedule.steps; ++step) {
//     ... engine.run writes every parameter's gradient into `gradients` (RunOptions::into) ...
//     adam.step(parameters, gradients, learning_rate(schedule, step));
//   }
//
// examples/train.cpp is a whole program.  A Trainer (train.h) does all of it for a text.
//
// Sources: Adam, Kingma and Ba 2015 (algorithm 1); weight decay apart from the gradient, Loshchilov and
// Hutter 2019 (algorithm 2, with the decay multiplied by the learning rate, as PyTorch does); clipping,
// Pascanu, Mikolov and Bengio 2013 (algorithm 1); warm-up, Vaswani et al. 2017 (5.3); the cosine, Loshchilov
// and Hutter 2017 (5), one period, no restart.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "limpid/api.h"
#include "limpid/graph.h"

namespace LIMPID_API limpid {

struct AdamWOptions {
  double beta1 = 0.9,
         beta2 = 0.999;        // how much of the first and second moment stays from step to step: [0, 1)
  double epsilon = 1e-8;       // above 0
  double weight_decay = 0.01;  // of parameters whose Init::decays is set; 0 or more
  double clip = 0;             // the largest norm of all gradients together; 0: as they are
};

/// Changes parameters step by step.  For each number p with the gradient g, at step n = 1, 2, ...
///
///     g' = g min(1, clip / norm of all gradients)
///     m  = beta1 m + (1 - beta1) g'
///     v  = beta2 v + (1 - beta2) g'^2
///     p  = p (1 - rate weight_decay) - rate (m / (1 - beta1^n)) / (sqrt(v / (1 - beta2^n)) + epsilon)
///
/// in f32, with the same bits at any number of threads.  The state is `first` (m), `second` (v) and `steps`
/// (n): stored, and put back into another AdamW of the same parameters, it goes on to the same bits.
class AdamW {
 public:
  /// Moments of zero for every parameter.  Throws Error{call} for an option out of its range, and for a
  /// parameter that the graph has not.
  AdamW(const Graph&, const std::map<std::string, Tensor>& parameters, const AdamWOptions& = {});
  /// The same of parameters of no graph: `decays` says of each whether weight_decay is for it.
  AdamW(const std::map<std::string, Tensor>& parameters, const std::map<std::string, bool>& decays,
        const AdamWOptions& = {});

  /// One step on the parameters that have a gradient, in place; both by the parameter's name, f32, of one
  /// size.  Returns the norm of the gradients before clipping; where that is no finite number nothing is
  /// changed.  Throws Error{call}, before it changes anything,
  /// for names, types and sizes that do not fit.
  double step(std::map<std::string, Tensor>& parameters, const std::map<std::string, Tensor>& gradients,
              double learning_rate);

  std::map<std::string, Tensor> first, second;  // moments, by parameter
  int64_t steps = 0;                            // done

 private:
  AdamWOptions options_;
  std::map<std::string, bool> decays_;
};

struct MuonOptions {
  double momentum = 0.95;     // [0, 1)
  double weight_decay = 0.1;  // 0 or more
};
/// A parameter seen as a matrix.
struct MuonMatrix {
  int64_t rows = 0, columns = 0;
};

/// Muon, for matrices inside a network (Jordan 2024, kellerjordan.github.io/posts/muon).  For each, of the
/// gradient G:
///
///     M = momentum M + (1 - momentum) G
///     O = momentum M + (1 - momentum) G at singular values of about 1 (five rounds of Newton and Schulz)
///     W = W (1 - rate weight_decay) - rate 0.2 sqrt(max(rows, columns)) O
///
/// The last factor gives O the size of AdamW's steps, so that one learning rate serves both (Liu 2025, "Muon
/// is scalable for LLM training", arXiv 2502.16982, equation 4).  The same bits at any number of threads.
class Muon {
 public:
  Muon(const std::map<std::string, MuonMatrix>& matrices, const MuonOptions& = {});
  /// One step on the matrices that have a gradient, in place.  Throws Error{call}, before it changes
  /// anything, for names, types and sizes that do not fit.
  void step(std::map<std::string, Tensor>& parameters, const std::map<std::string, Tensor>& gradients,
            double learning_rate);

  std::map<std::string, Tensor> momentum;  // M, by parameter

 private:
  MuonOptions options_;
  std::map<std::string, MuonMatrix> matrices_;
};

/// The square root of the sum of all squares, summed in double in an order of its own.
double gradient_norm(const std::map<std::string, Tensor>& gradients);

/// How a learning rate falls after its warm-up.
enum class Decay {
  cosine,    // half a cosine
  linear,    // a straight line
  constant,  // not at all
  stable,    // not at all, but for a straight line at the end (warm-up-stable-decay: Hu 2024, MiniCPM)
};
std::string_view name(Decay);

/// A learning rate that climbs evenly to `highest` over `warm_up` steps and falls from there to `least` at
/// the last of `steps`.
struct Schedule {
  double highest = 1e-3, least = 1e-4;
  int64_t warm_up = 100, steps = 1000;
  Decay decay = Decay::cosine;
  double cooldown = 0.2;  // stable: the share of all steps in which it falls
};
/// The rate of a step, counted from 0; after the last it stays at `least`.
double learning_rate(const Schedule&, int64_t step);

}  // namespace LIMPID_API limpid
