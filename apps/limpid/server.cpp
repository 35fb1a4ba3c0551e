#include "limpid/server.h"

#include <httplib.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>

#include "limpid/error.h"

namespace limpid::command {

namespace {

constexpr int k_workers = 8, k_read_seconds = 5, k_write_seconds = 20, k_idle_seconds = 5;

enum Status {
  k_ok = 200,
  k_bad = 400,
  k_forbidden = 403,
  k_missing = 404,
  k_method = 405,
  k_length = 411,
  k_too_large = 413,
  k_media = 415,
  k_busy = 503
};

std::string drawn_token() {
  unsigned char bytes[16];
  for (size_t got = 0; got < sizeof bytes;) {
    const ssize_t more = getrandom(bytes + got, sizeof bytes - got, 0);
    if (more > 0)
      got += static_cast<size_t>(more);
    else if (errno != EINTR)
      fail_work("explore: the system gives no random numbers for the server's token");
  }
  std::string out;
  for (const unsigned char byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

// Equal, in a time that does not tell where they part.
bool same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

// No script, style or picture but this server's own, and nothing of it inside of another page.
const httplib::Headers& headers() {
  static const httplib::Headers k_headers = {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: "
       "blob:; font-src "
       "'self'; "
       "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-store"}};
  return k_headers;
}

void refuse(httplib::Response& response, Status status, const std::string& why) {
  response.status = status;
  response.set_content(why + "\n", "text/plain; charset=utf-8");
}

}  // namespace

struct Server::Impl {
  explicit Impl(ServerOptions given) : options(std::move(given)), token(drawn_token()) {}

  ServerOptions options;
  std::string token;
  int port = 0;
  httplib::Server http;
  std::timed_mutex asking;
  std::atomic<bool> stopped = false;

  bool ours(const std::string& host) const {
    return host == join("127.0.0.1:", port) || host == join("localhost:", port);
  }

  // Whether the request may be answered; refused before its body is read.
  bool let_in(const httplib::Request& request, httplib::Response& response) const {
    const auto refused = [&](Status status, const std::string& why) {
      refuse(response, status, why);
      return false;
    };
    if (request.get_header_value_count("Host") != 1 || !ours(request.get_header_value("Host")))
      return refused(k_forbidden, "the request is for another host");
    if (request.has_header("Origin")) {
      const std::string origin = request.get_header_value("Origin"), scheme = "http://";
      if (!origin.starts_with(scheme) || !ours(origin.substr(scheme.size())))
        return refused(k_forbidden, "the request comes from another origin");
    }
    if (request.has_header("Sec-Fetch-Site")) {
      const std::string site = request.get_header_value("Sec-Fetch-Site");
      const bool opened = site == "none" || request.get_header_value("Sec-Fetch-Mode") == "navigate";
      if (site != "same-origin" && !(opened && request.method == "GET"))
        return refused(k_forbidden, "the request comes from another site");
    }
    if (!under_token(request.path))
      return refused(k_forbidden, "open the address that limpid explore has printed");
    if (request.has_header("Range")) return refused(k_bad, "parts of a file are not served");
    return true;
  }

  bool under_token(const std::string& path) const {
    return path.size() > token.size() + 1 && path[token.size() + 1] == '/' &&
           same(path.substr(1, token.size()), token);
  }
  // What stands behind "/TOKEN/".
  std::string name_of(const std::string& path) const { return path.substr(token.size() + 2); }

  bool takes_body(const httplib::Request& request, httplib::Response& response) const {
    const auto refused = [&](Status status, const std::string& why) {
      refuse(response, status, why);
      return false;
    };
    std::string media = request.get_header_value("Content-Type");
    media = media.substr(0, media.find(';'));
    if (media != "application/json") return refused(k_media, "a question is application/json");
    if (request.has_header("Content-Encoding")) return refused(k_media, "a question is not compressed");
    const std::string length = request.get_header_value("Content-Length");
    if (request.has_header("Transfer-Encoding") || request.get_header_value_count("Content-Length") != 1 ||
        length.empty() || length.find_first_not_of("0123456789") != length.npos)
      return refused(k_length, "a question has a Content-Length");
    if (length.size() > 9 || std::stoul(length) > options.most_body)
      return refused(k_too_large, join("a question has at most ", options.most_body, " bytes"));
    return true;
  }

  // True: the request is done; false: its body is to be read and answered.
  bool handled(const httplib::Request& request, httplib::Response& response) const {
    if (!let_in(request, response)) return true;
    const std::string name = name_of(request.path);
    if (name == "ask") {
      if (request.method != "POST") return refuse(response, k_method, "a question is asked by POST"), true;
      return !takes_body(request, response);
    }
    if (request.method != "GET" && request.method != "HEAD")
      return refuse(response, k_method, "files are read by GET"), true;
    const auto found = options.files.find(name.empty() ? "index.html" : name);
    if (found == options.files.end()) return refuse(response, k_missing, "there is no such file"), true;
    response.status = k_ok;
    // By a provider: what is set as content the library compresses, as slowly as it can (Brotli's 11: half a
    // second of the page's script).
    const std::string_view bytes = found->second.bytes;
    response.set_content_provider(bytes.size(), found->second.media,
                                  [bytes](size_t from, size_t count, httplib::DataSink& sink) {
                                    return sink.write(bytes.data() + from, count);
                                  });
    return true;
  }

  void answer(const httplib::Request& request, httplib::Response& response) {
    std::unique_lock<std::timed_mutex> turn(asking, std::defer_lock);
    if (!turn.try_lock_for(std::chrono::duration<double>(options.patience)) || stopped)
      return refuse(response, k_busy, "other questions are still worked on; ask again");
    response.set_content(options.ask(request.body), "application/octet-stream");
  }
};

Server::Server(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  httplib::Server& http = impl_->http;
  http.new_task_queue = [] { return new httplib::ThreadPool(k_workers); };
  http.set_keep_alive_max_count(1);
  http.set_keep_alive_timeout(k_idle_seconds);
  http.set_read_timeout(k_read_seconds);
  http.set_write_timeout(k_write_seconds);
  http.set_payload_max_length(impl_->options.most_body);
  http.set_default_headers(headers());
  http.set_tcp_nodelay(true);
  // Without the library's own SO_REUSEPORT, by which two servers could share a port.
  http.set_socket_options([](auto socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  http.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
    using Response = httplib::Server::HandlerResponse;
    return impl_->handled(request, response) ? Response::Handled : Response::Unhandled;
  });
  http.Post("/.*", [this](const httplib::Request& request, httplib::Response& response) {
    impl_->answer(request, response);
  });
  const std::string host = "127.0.0.1";
  const int wanted = impl_->options.port;
  impl_->port = wanted == 0 ? http.bind_to_any_port(host) : (http.bind_to_port(host, wanted) ? wanted : -1);
  if (impl_->port < 0)
    fail_work("explore: port ", wanted, " of 127.0.0.1 cannot be listened on (", std::strerror(errno),
              "); give another as --port, or none");
}

Server::~Server() = default;

std::string Server::address() const { return join("http://127.0.0.1:", impl_->port, "/", impl_->token, "/"); }

void Server::run() {
  if (impl_->stopped) return;
  if (!impl_->http.listen_after_bind() && !impl_->stopped)
    fail_work("explore: the server cannot accept connections (", std::strerror(errno), ")");
}

void Server::stop() noexcept {
  impl_->stopped = true;
  impl_->http.stop();
}

}  // namespace limpid::command
