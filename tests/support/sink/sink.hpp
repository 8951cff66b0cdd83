// The e-mail provider of tests, benchmarks, the demo and `./dev`: a real HTTP server on a thread of its own,
// with a ledger of every request and scripted misbehaviour.
//
//   POST /send-email             {"email","message"}, Idempotency-Key, Authorization: Bearer;
//   {"success":true} GET /ledger?after=&limit=    {"entries":[…]}, oldest first GET /ledger/summary totals
//   GET /ledger/by-key/{key}     {"entries":[…]} of one key
//   DELETE /ledger               forgets everything
//   GET, PUT /script             how to misbehave: see Script::parse
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/sink/ledger.hpp"
#include "tests/support/sink/provider.hpp"

namespace sink {

/// Every function may be called from any thread.
class Sink {
public:
    struct Options {
        std::string bind = "127.0.0.1";
        std::uint16_t port = 0;  ///< 0 takes a free one
        Policy policy = {};
    };

    Sink() : Sink(Options{}) {}
    /// Listens when it returns. Throws boost::system::system_error when it cannot.
    explicit Sink(Options options);
    ~Sink();

    std::uint16_t port() const;
    /// `http://127.0.0.1:34567`
    std::string url() const;

    Summary summary() const;
    std::vector<Entry> entries(std::uint64_t after = 0, std::size_t limit = 1000) const;
    std::vector<Entry> by_key(const std::string& key) const;
    /// How many connections were accepted so far.
    std::uint64_t connections() const;
    void clear_ledger();

    /// As PUT /script does. Throws std::invalid_argument when it is not a script.
    void play(const std::string& script);

    /// An outage: new connections are refused and the open ones closed; the port stays ours.
    void stop_listening();
    void listen_again();

private:
    struct Server;
    std::unique_ptr<Server> server_;
};

}  // namespace sink
