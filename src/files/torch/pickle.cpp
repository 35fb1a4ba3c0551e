// The pickle machine: a stack, marks on it, a memo.  Opcodes: Lib/pickletools.py of CPython describes each.
#include "files/torch/pickle.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <unordered_map>

#include "core/label.h"
#include "files/torch/literals.h"
#include "files/torch/objects.h"

namespace limpid::torch {

namespace {

class Machine {
 public:
  Machine(Bytes bytes, const std::string& name)
      : text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()), objects_(bytes, name) {}

  Pickled run() {
    for (;;) {
      objects_.at = at_;
      const char opcode = take(1)[0];
      if (opcode == '.') {
        const Ref root = pop();
        return objects_.take(root, at_);
      }
      if (!constant(opcode) && !text(opcode) && !container(opcode) && !memo(opcode) && !object(opcode))
        unknown(opcode);
    }
  }

 private:
  // ---- reading
  std::string_view take(uint64_t count);
  std::string_view line();
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  template <class T>
  T decimal(const char* what);

  // ---- the stack
  void push(Ref ref) {
    if (stack_.size() >= k_most_values) objects_.fail("more than ", k_most_values, " values on its stack");
    stack_.push_back(ref);
  }
  Ref pop();
  Ref top();
  std::vector<Ref> pop_to_mark();
  std::vector<Ref> pop_many(size_t count);
  void append(std::vector<Ref> items, Kind into);

  // ---- opcodes: each says whether it was one of its own
  bool constant(char opcode);
  bool text(char opcode);
  bool container(char opcode);
  bool memo(char opcode);
  bool object(char opcode);
  [[noreturn]] void unknown(char opcode);

  void old_integer();
  void remember(uint64_t key, Ref);
  Ref recall(uint64_t key);

  std::string_view text_;
  size_t at_ = 0;
  Objects objects_;
  std::vector<Ref> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint64_t, Ref> memo_;
};

// ---- reading -------------------------------------------------------------------------------------

std::string_view Machine::take(uint64_t count) {
  if (count > text_.size() - at_)
    objects_.fail("it ends here, ", count,
                  " bytes more were expected; the file was cut short, or is damaged");
  const std::string_view part = text_.substr(at_, count);
  at_ += count;
  return part;
}

std::string_view Machine::line() {
  const size_t end = text_.find('\n', at_);
  if (end == text_.npos) objects_.fail("a line that does not end; the file was cut short, or is damaged");
  std::string_view content = text_.substr(at_, end - at_);
  at_ = end + 1;
  if (content.ends_with('\r')) content.remove_suffix(1);
  return content;
}

template <class T>
T Machine::decimal(const char* what) {
  const std::string_view digits = line();
  T value{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size())
    objects_.fail(what, " is written ", in_quotes(digits));
  return value;
}

// ---- the stack -----------------------------------------------------------------------------------

Ref Machine::top() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back()))
    objects_.fail("it takes more from its stack than is there");
  return stack_.back();
}

Ref Machine::pop() {
  const Ref ref = top();
  stack_.pop_back();
  return ref;
}

std::vector<Ref> Machine::pop_many(size_t count) {
  if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < count)
    objects_.fail("it takes more from its stack than is there");
  const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
  std::vector<Ref> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  return items;
}

std::vector<Ref> Machine::pop_to_mark() {
  if (marks_.empty()) objects_.fail("it looks for a mark on its stack, where there is none");
  std::vector<Ref> items = pop_many(stack_.size() - marks_.back());
  marks_.pop_back();
  return items;
}

void Machine::append(std::vector<Ref> items, Kind into) {
  objects_.expect(top(), into, "what is added to");
  if (into == Kind::dict && items.size() % 2 != 0) objects_.fail("a key without a value");
  auto& all = objects_[top()].items;
  all.insert(all.end(), items.begin(), items.end());
}

// ---- opcodes -------------------------------------------------------------------------------------

// INT: "12", and "00", "01" for False and True.
void Machine::old_integer() {
  if (text_.substr(at_).starts_with("00\n") || text_.substr(at_).starts_with("01\n"))
    return push(objects_.add(Kind::boolean, line()[1] - '0'));
  push(objects_.add(Kind::integer, decimal<int64_t>("an integer")));
}

bool Machine::constant(char opcode) {
  switch (opcode) {
    case 'N':
      return push(objects_.add(Kind::none, 0)), true;
    case '\x88':
      return push(objects_.add(Kind::boolean, 1)), true;
    case '\x89':
      return push(objects_.add(Kind::boolean, 0)), true;
    case 'I':
      return old_integer(), true;
    case 'L':
      return push(add_long(objects_, line())), true;
    case 'J':
      return push(objects_.add(Kind::integer, number<int32_t>())), true;
    case 'K':
      return push(objects_.add(Kind::integer, number<uint8_t>())), true;
    case 'M':
      return push(objects_.add(Kind::integer, number<uint16_t>())), true;
    case '\x8a':
      return push(objects_.add_integer(take(number<uint8_t>()))), true;
    case '\x8b':
      return push(objects_.add_integer(take(number<uint32_t>()))), true;
    case 'F':
      return push(objects_.add(Value{Kind::real, 0, decimal<double>("a float"), {}, {}})), true;
    case 'G': {  // big endian
      const uint64_t bits = __builtin_bswap64(number<uint64_t>());
      return push(objects_.add(Value{Kind::real, 0, std::bit_cast<double>(bits), {}, {}})), true;
    }
    default:
      return false;
  }
}

bool Machine::text(char opcode) {
  switch (opcode) {
    case 'S':
      return push(add_quoted(objects_, line())), true;
    case 'V':
      return push(add_escaped(objects_, line())), true;
    case 'T':
      return push(objects_.add_text(Kind::text, take(number<uint32_t>()))), true;
    case 'U':
    case '\x8c':
      return push(objects_.add_text(Kind::text, take(number<uint8_t>()))), true;
    case 'X':
      return push(objects_.add_text(Kind::text, take(number<uint32_t>()))), true;
    case '\x8d':
      return push(objects_.add_text(Kind::text, take(number<uint64_t>()))), true;
    case 'C':
      return push(objects_.add_text(Kind::bytes, take(number<uint8_t>()))), true;
    case 'B':
      return push(objects_.add_text(Kind::bytes, take(number<uint32_t>()))), true;
    case '\x8e':
    case '\x96':
      return push(objects_.add_text(Kind::bytes, take(number<uint64_t>()))), true;
    default:
      return false;
  }
}

bool Machine::container(char opcode) {
  const auto make = [&](Kind kind, std::vector<Ref> items) {
    if (kind == Kind::dict && items.size() % 2 != 0) objects_.fail("a key without a value");
    push(objects_.add_items(kind, std::move(items)));
    return true;
  };
  switch (opcode) {
    case '(':
      if (marks_.size() >= k_most_values) objects_.fail("more than ", k_most_values, " marks on its stack");
      return marks_.push_back(stack_.size()), true;
    case ')':
      return make(Kind::tuple, {});
    case ']':
      return make(Kind::list, {});
    case '}':
      return make(Kind::dict, {});
    case '\x8f':
      return make(Kind::set, {});
    case 't':
      return make(Kind::tuple, pop_to_mark());
    case '\x85':
    case '\x86':
    case '\x87':
      return make(Kind::tuple, pop_many(static_cast<size_t>(opcode - '\x84')));
    case 'l':
      return make(Kind::list, pop_to_mark());
    case 'd':
      return make(Kind::dict, pop_to_mark());
    case '\x91':
      return make(Kind::set, pop_to_mark());
    case 'a':
      return append(pop_many(1), Kind::list), true;
    case 'e':
      return append(pop_to_mark(), Kind::list), true;
    case 's':
      return append(pop_many(2), Kind::dict), true;
    case 'u':
      return append(pop_to_mark(), Kind::dict), true;
    case '\x90':
      return append(pop_to_mark(), Kind::set), true;
    default:
      return false;
  }
}

void Machine::remember(uint64_t key, Ref ref) {
  if (memo_.size() >= k_most_values && !memo_.contains(key))
    objects_.fail("it remembers more than ", k_most_values, " values");
  memo_[key] = ref;
}

Ref Machine::recall(uint64_t key) {
  const auto found = memo_.find(key);
  if (found == memo_.end()) objects_.fail("it recalls value ", key, ", which it never remembered");
  return found->second;
}

bool Machine::memo(char opcode) {
  switch (opcode) {
    case '0':  // POP takes a mark too
      if (!marks_.empty() && marks_.back() == stack_.size())
        marks_.pop_back();
      else
        pop();
      return true;
    case '1':
      return pop_to_mark(), true;
    case '2':
      return push(top()), true;
    case 'p':
      return remember(decimal<uint64_t>("a place in the memo"), top()), true;
    case 'q':
      return remember(number<uint8_t>(), top()), true;
    case 'r':
      return remember(number<uint32_t>(), top()), true;
    case '\x94':
      return remember(memo_.size(), top()), true;
    case 'g':
      return push(recall(decimal<uint64_t>("a place in the memo"))), true;
    case 'h':
      return push(recall(number<uint8_t>())), true;
    case 'j':
      return push(recall(number<uint32_t>())), true;
    case '\x80':
      if (const int protocol = number<uint8_t>(); protocol > 5)
        objects_.fail("protocol ", protocol, ", limpid knows 0 to 5");
      return true;
    case '\x95':
      return number<uint64_t>(), true;  // how the writer cut it into frames
    default:
      return false;
  }
}

bool Machine::object(char opcode) {
  switch (opcode) {
    case 'c': {
      const std::string_view module = line();
      return push(objects_.global(module, line())), true;
    }
    case '\x93': {
      const Ref function = pop(), module = pop();
      objects_.expect(function, Kind::text, "a function's name");
      objects_.expect(module, Kind::text, "a module's name");
      return push(objects_.global(objects_[module].text, objects_[function].text)), true;
    }
    case 'R':
    case '\x81': {
      const Ref arguments = pop(), function = pop();
      return push(objects_.call(function, arguments)), true;
    }
    case 'i': {
      const std::string_view module = line();
      const Ref function = objects_.global(module, line());
      return push(objects_.call(function, objects_.add_items(Kind::tuple, pop_to_mark()))), true;
    }
    case 'b': {
      const Ref state = pop();
      return objects_.build(top(), state), true;
    }
    case 'Q':
      return push(objects_.persistent(pop())), true;
    case 'o':
    case '\x92':
      objects_.refuse("a new object in a way that torch.save never does (opcode ",
                      opcode == 'o' ? "OBJ" : "NEWOBJ_EX", ")");
    case 'P':
      objects_.refuse("an object of another program (opcode PERSID)");
    case '\x82':
    case '\x83':
    case '\x84':
      objects_.refuse("an object of Python's extension registry");
    case '\x97':
    case '\x98':
      objects_.refuse("a buffer outside the file");
    default:
      return false;
  }
}

void Machine::unknown(char opcode) {
  constexpr char k_digits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(opcode);
  objects_.fail("0x", k_digits[byte >> 4], k_digits[byte & 15],
                " is no opcode of a pickle; the file is damaged, or is none");
}

}  // namespace

Pickled read_pickle(Bytes bytes, const std::string& name) {
  return Machine(bytes.first(std::min(bytes.size(), k_most_pickle)), name).run();
}

}  // namespace limpid::torch
