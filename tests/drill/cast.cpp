#include "tests/drill/cast.hpp"

#include <cstdlib>
#include <stdexcept>

namespace drill {

using namespace std::chrono_literals;

namespace {

constexpr int killed = 128 + SIGKILL;

// Long for a machine that is busy with other things: a lease that runs out under a living worker would be a
// fault of the machine's.
constexpr auto lease = 3s;
// No hint gets lost when a program dies, so nobody may have to look for one.
const support::Environment settings_of_drills{
    {"PROVIDER_TIMEOUT", "1s"}, {"DELIVERY_LEASE", "3s"}, {"QUEUE_LOST_AFTER", "5m"}, {"OPS_PORT", "0"}};

// As the worker names an answer that did not come before its deadline.
constexpr postgres::Statement silent_attempts{"silent_attempts", R"sql(
    SELECT m.idempotency_key, a.started_at, a.finished_at
    FROM delivery_attempts a JOIN message_logs m ON m.id = a.message_id AND m.delivery_date = a.delivery_date
    WHERE a.error = 'timeout: no answer in time')sql"};

std::vector<Silence> silences_of(support::System& system) {
    std::vector<Silence> silences;
    for (const auto row : system.sql.run(silent_attempts)) {
        silences.push_back({.key = row.get<std::string>(0),
                            .from = row.get<domain::Instant>(1),
                            .to = row.get<domain::Instant>(2)});
    }
    return silences;
}

domain::Instant now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace

Cast::Cast(const support::System& system, support::Environment settings)
    : system_(system), settings_(std::move(settings)) {
    settings_.insert(settings_of_drills.begin(), settings_of_drills.end());
}

std::size_t Cast::hire(const std::string& program, const PointOfDeath& point,
                       const support::Environment& settings) {
    roles_.push_back({.program = program, .settings = settings, .client = {}, .process = {}});
    start(roles_.back(), point);
    return roles_.size() - 1;
}

void Cast::replace(std::size_t number, const PointOfDeath& point, const support::Environment& settings) {
    Role& role = roles_.at(number);
    if (!is_dead(number)) {
        role.process->send_signal(SIGTERM);
        const int code = role.process->wait_for_exit();
        if (code == killed) note_death(role, "at its kill point, while it stopped");
        if (code != 0 && code != killed) throw std::runtime_error(role.client + ":\n" + role.process->log());
    }
    role.settings = settings;
    start(role, point);
}

void Cast::kill(std::size_t number) {
    Role& role = roles_.at(number);
    if (is_dead(number)) return;
    role.process->send_signal(SIGKILL);
    role.process->wait_for_exit();
    note_death(role, "by kill -9");
}

bool Cast::is_dead(std::size_t number) {
    Role& role = roles_.at(number);
    if (role.dead) return true;
    if (role.process->running()) return false;
    if (role.process->wait_for_exit() != killed)
        throw std::runtime_error(role.client + " ended by itself; its output:\n" + role.process->log());
    note_death(role, "at its kill point");
    return true;
}

void Cast::start(Role& role, const PointOfDeath& point) {
    role.client = role.program + "-" + std::to_string(++processes_);
    auto variables = role.settings;
    variables.insert(settings_.begin(), settings_.end());
    variables["PROVIDER_TOKEN"] = role.client;
    if (!point.empty()) variables["KILLPOINT"] = point;
    role.process = std::make_unique<support::Process>(drill_program(role.program), std::vector<std::string>{},
                                                      system_.environment(variables));
    role.dead = false;
}

/// What it had in hand was claimed within a lease of its death, which was seen a little later; and what it
/// had written may have reached the provider later still.
void Cast::note_death(Role& role, const std::string& how) {
    role.dead = true;
    ++deaths_;
    interruptions_.push_back({.client = role.client,
                              .from = now() - 2 * lease,
                              .to = now() + lease,
                              .what = role.client + " died " + how});
}

std::string drill_program(const std::string& name) {
    const char* folder = std::getenv("TIDINGS_BIN");
    if (folder == nullptr) throw std::runtime_error("TIDINGS_BIN is not set: the folder with the programs");
    return std::string(folder) + "/../../drill/bin/" + name;
}

Evidence gather(support::System& system, support::System::Provider kind,
                std::vector<Interruption> interruptions) {
    return {.idempotent = kind == support::System::Provider::idempotent,
            .ledger = system.ledger(),
            .requests = system.requests(),
            .interruptions = std::move(interruptions),
            .silences = silences_of(system),
            .clock = system.clock()};
}

}  // namespace drill
