// tidings-sink: the e-mail provider as a program.
#include <csignal>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/support/command_line.hpp"
#include "tests/support/sink/sink.hpp"

namespace {

constexpr const char* description =
    R"(An e-mail provider for development and tests, with a ledger of every request.

  POST /send-email             {"email","message"}, Idempotency-Key, Authorization: Bearer; {"success":true}
  GET /ledger?after=&limit=    {"entries":[...]}, oldest first, at most 10000
  GET /ledger/summary          totals
  GET /ledger/by-key/{key}     {"entries":[...]} of one key
  DELETE /ledger               forgets everything
  GET, PUT /script             how to misbehave, every member optional; the first rule that applies decides:
    {"seed": 7, "outage_ms": 5000, "rules": [
      {"key": "part of it", "email": "part of it", "times": 3, "rate": 0.1,
       "status": 503, "body": "text", "headers": {"Retry-After": "2"}, "success_false": true,
       "delay_ms": 200, "drip_ms": 10, "drop": true, "close_after_accept": true}]}
)";

std::string read_token(const std::string& path) {
    std::ifstream file(path);
    std::string token;
    if (!std::getline(file, token) || token.empty()) throw std::runtime_error("no token in " + path);
    return token;
}

/// Blocked in every thread, so that only `sigwait` sees them.
sigset_t block_stop_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

}  // namespace

int main(int argc, char** argv) try {
    sink::Sink::Options options{.bind = "127.0.0.1", .port = 3100};
    std::string token_file;

    support::CommandLine line(description, "tidings-sink");
    line.number("--port", options.port, "0 takes a free one");
    line.text("--bind", options.bind);
    line.flag("--idempotent,!--naive", options.policy.idempotent,
              "a key is delivered once (default), or with every request");
    line.text("--token-file", token_file, "requests must carry the token in this file");
    line.number("--capacity", options.policy.capacity, "requests the ledger can hold");
    if (const auto code = line.parse(argc, argv)) return *code;
    if (!token_file.empty()) options.policy.token = read_token(token_file);

    const auto stop_signals = block_stop_signals();
    const bool idempotent = options.policy.idempotent;
    const sink::Sink sink(std::move(options));
    std::cout << "tidings-sink listens on " << sink.url() << (idempotent ? " (idempotent)" : " (naive)")
              << std::endl;

    int received = 0;
    sigwait(&stop_signals, &received);
    std::cout << "tidings-sink stops after " << sink.summary().requests << " requests" << std::endl;
    return 0;
} catch (const std::exception& error) {
    std::cerr << "tidings-sink: " << error.what() << '\n';
    return 1;
}
