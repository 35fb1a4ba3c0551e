// The explorer's server: a page and one door behind it, for this machine alone.
//
// It listens on 127.0.0.1.  Everything lies under a path that nobody can guess ("/TOKEN/"): a page of another
// origin cannot read it, and a request is answered only where its Host is this server and its Origin, if it
// names one, too, so that a name which is made to point here (DNS rebinding) reaches nothing.  Nothing is
// read from the file system.  A connection serves one request.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace limpid::command {

/// A file of the page.
struct ServedFile {
  std::string_view bytes;
  std::string media;
};

struct ServerOptions {
  int port = 0;                             // 0: any that is free
  size_t most_body = 1 << 20;               // bytes of a request
  double patience = 600;                    // seconds that a request waits for those before it
  std::map<std::string, ServedFile> files;  // by name; "index.html" is what the bare path shows
  /// The answer to the body of one request; one call at a time.
  std::function<std::string(std::string_view)> ask;
};

class Server {
 public:
  /// Binds the port.  Throws Error{work} where it cannot.
  explicit Server(ServerOptions);
  ~Server();
  /// "http://127.0.0.1:PORT/TOKEN/"
  std::string address() const;
  /// Answers until stop() is called.
  void run();
  /// From any thread, or a signal's handler.
  void stop() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace limpid::command
