// What the questions share, and the list of them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "explore/answer.h"
#include "explore/request.h"
#include "explore/run.h"
#include "limpid/heads.h"

namespace limpid::explore {

struct State {
  explicit State(Host& given) : host(given), runs(given) {}

  Host& host;
  Opened opened;
  Runs runs;
  int64_t inputs = 0;  // images and series that requests have given

  // Of the model that is open.
  std::optional<HeadReport> measured;
  std::string hash;
  // A text that grows, with its keys and values, and the tokens that it has read.
  std::optional<limpid::Session> writing;
  std::vector<int64_t> written;
};

/// What a question asks beside the run's own numbers.
enum class Needs {
  nothing,
  network,          // to run it again: not of a stored run
  residual_stream,  // and one that its parts add to: not the textbook's
  image,            // a model that reads one
  series,
};

struct Question {
  std::string name;
  void (*ask)(State&, Request&, Answer&);
  Needs needs = Needs::nothing;
};
/// Every question, one a file of questions/ but for those that answer alike.
const std::vector<Question>& questions();

/// Whether it can be asked of what is open.
bool can_ask(const State&, const Question&);

void ask_open(State&, Request&, Answer&);
void ask_tokens(State&, Request&, Answer&);
void ask_stages(State&, Request&, Answer&);
void ask_window(State&, Request&, Answer&);
void ask_explain(State&, Request&, Answer&);
void ask_maps(State&, Request&, Answer&);
void ask_tile(State&, Request&, Answer&);
void ask_heads(State&, Request&, Answer&);
void ask_next(State&, Request&, Answer&);
void ask_compare(State&, Request&, Answer&);
void ask_lens(State&, Request&, Answer&);
void ask_attribution(State&, Request&, Answer&);
void ask_score_sources(State&, Request&, Answer&);
void ask_quiz(State&, Request&, Answer&);
void ask_losses(State&, Request&, Answer&);
void ask_generate(State&, Request&, Answer&);
void ask_training(State&, Request&, Answer&);
void ask_picture(State&, Request&, Answer&);
void ask_series(State&, Request&, Answer&);
void ask_attended(State&, Request&, Answer&);
void ask_figure(State&, Request&, Answer&);
void ask_trace(State&, Request&, Answer&);

/// The run that a question is about: what is open, or the same without its edits where the request says so.
/// The answer says what is edited.
Run& asked_run(State&, Request&, Answer&);

/// Which row of the batch a question is about: of a series, its column; else 0.
int64_t batch_of(Request&, const State&);

/// What is open, in an answer.
void tell_open(State&, Run&, Answer&);

}  // namespace limpid::explore
