// The numbers of GGUF files, for tests/gguf_quants.py to compare:
//
//   gguf_numbers FILE            a line a tensor: type, bytes, offset, shape, name
//   gguf_numbers FILE NAME       the tensor's numbers as f32, to the standard output
//   gguf_numbers FILE KEY keys   an array of metadata, an element a line
//   gguf_numbers quantize TYPE   f32 from the standard input as blocks of Q8_0, Q4_0 or Q4_1
#include <cstdio>
#include <cstring>
#include <iostream>

#include "limpid/gguf.h"

namespace {

using namespace limpid;

void write_out(const void* data, size_t size) { std::fwrite(data, 1, size, stdout); }

void list(const GgufInfo& info) {
  for (const auto& entry : info.entries)
    std::cout << name(entry.type) << ' ' << entry.bytes << ' ' << entry.offset << ' ' << entry.shape.text()
              << ' ' << entry.name << '\n';
}

void write_numbers(const GgufReader& reader, const char* tensor) {
  const Tensor numbers = reader.read(tensor).to(DType::f32);
  write_out(numbers.raw(), numbers.bytes());
}

void write_array(const GgufReader& reader, const char* key) {
  const auto found = reader.info().metadata.find(key);
  if (found != reader.info().metadata.end() && found->second.type == GgufValueType::string) {
    for (const std::string& text : reader.strings(key)) std::cout << text << '\0';
  } else {
    for (const double number : reader.numbers(key)) std::cout << number << '\0';
  }
}

void write_blocks(std::string_view type) {
  const std::string input(std::istreambuf_iterator<char>(std::cin), {});
  std::vector<float> numbers(input.size() / sizeof(float));
  std::memcpy(numbers.data(), input.data(), numbers.size() * sizeof(float));
  for (const GgufType each : {GgufType::q8_0, GgufType::q4_0, GgufType::q4_1})
    if (name(each) == type) {
      const std::vector<std::byte> blocks = quantize(each, numbers);
      return write_out(blocks.data(), blocks.size());
    }
  fail_call("type ", type, ", expected Q8_0, Q4_0 or Q4_1");
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count == 3 && std::strcmp(arguments[1], "quantize") == 0) {
      write_blocks(arguments[2]);
      return 0;
    }
    if (count < 2) limpid::fail_call("give a file");
    const GgufReader reader(arguments[1]);
    if (count == 2) list(reader.info());
    if (count == 3) write_numbers(reader, arguments[2]);
    if (count == 4) write_array(reader, arguments[2]);
  } catch (const limpid::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
