// A whole Tidings of one test's own: database, queues and provider. The test starts the services, as many as
// it needs and as real processes, and may put a gate between any of these.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/amqp_fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/process.hpp"
#include "tests/support/sink/sink.hpp"
#include "tests/support/system/comparison.hpp"

namespace support {

/// One birthday a person, at 09:00 of 10 March in UTC unless said otherwise.
struct People {
    int count = 1;
    std::string zone = "UTC";
    std::string birthday = "1990-03-10";
};

/// A session that is made anew when the server has ended it.
class Session {
public:
    explicit Session(postgres::ConnectionSettings settings) : settings_(std::move(settings)) {}

    template <class... Args>
    postgres::Rows run(const postgres::Statement& statement, const Args&... args) {
        return open().run(statement, args...);
    }
    void execute(const std::string& script) { open().execute(script); }

private:
    postgres::Connection& open() {
        if (!connection_ || connection_->is_stale()) connection_.emplace(settings_);
        return *connection_;
    }

    postgres::ConnectionSettings settings_;
    std::optional<postgres::Connection> connection_;
};

class System {
public:
    /// A naive provider sends an e-mail for every request; one that is not recognises keys.
    enum class Provider { naive, idempotent };

    /// Servers of its own instead of the tests': a superuser's URL of a PostgreSQL, a RabbitMQ. Empty is the
    /// tests'.
    struct Servers {
        std::string database = {};
        std::string broker = {};
    };

    explicit System(Provider kind = Provider::idempotent) : System(kind, Servers{}) {}
    explicit System(const Servers& servers) : System(Provider::idempotent, servers) {}
    System(Provider kind, const Servers& servers);

    /// Starts a service and waits until it is ready. `more` overrides the drills' fast settings.
    Service start(const std::string& program, const Environment& more = {}) const;
    Environment environment(const Environment& more = {}) const;
    std::string queue() const { return broker.settings().topology.deliveries(); }
    std::uint16_t broker_port() const { return broker.settings().url.port; }
    std::string amqp_url_through(int port) const;

    /// The clock of the ledger, which stands at 08:00 UTC of 10 March 2027 until it is set: from `base` on,
    /// at `factor` times the pace of real time; 0 stands still.
    void set_clock(const std::string& base, double factor = 1);

    void add(const People& people);
    std::vector<LedgerRow> ledger();
    /// The only row there is.
    LedgerRow only_row();
    int count(domain::Status status);
    /// What the ledger's clock showed until now; and when a request came.
    Clock clock() const;
    domain::Instant instant_of(const sink::Entry& request) const { return clock()(request.received_at); }
    std::vector<sink::Entry> requests() const { return provider.entries(0, 1'000'000); }

    /// False when not so many are SENT in time.
    bool sent(int messages, std::chrono::seconds within = std::chrono::seconds(60));
    bool delivered(int messages, std::chrono::seconds within = std::chrono::seconds(60)) const;
    Comparison compare();

    TestDatabase database;
    AmqpFixture broker;
    sink::Sink provider;
    Session sql;  ///< as superuser

private:
    struct ClockRow {
        domain::Instant base;
        domain::Instant started_at;
        double factor;
    };
    std::vector<ClockRow> clocks_;
    int people_ = 0;
};

/// A counter or gauge of a service, named with its labels as in the scrape; 0 while it is absent.
double metric(const Service& service, const std::string& name);

}  // namespace support
