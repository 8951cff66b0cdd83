#include "libcore/postgres/host_lookup.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <exception>
#include <map>
#include <thread>
#include <utility>

#include "libcore/postgres/error.hpp"

namespace postgres {

namespace {

// A question that got lost is asked again by the resolver after seconds: whoever comes meanwhile asks for
// himself, but not everybody.
constexpr std::chrono::seconds young(1);
constexpr int most_at_once = 3;

std::string in_figures(const addrinfo& found) {
    std::array<char, NI_MAXHOST> text{};
    const int problem =
        getnameinfo(found.ai_addr, found.ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
    return problem == 0 ? text.data() : "";
}

}  // namespace

HostAddresses addresses_of(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int problem = getaddrinfo(host.c_str(), nullptr, &hints, &found); problem != 0)
        return {{}, gai_strerror(problem)};

    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> all(found, freeaddrinfo);
    HostAddresses result;
    for (const addrinfo* one = all.get(); one; one = one->ai_next)
        if (auto address = in_figures(*one); !address.empty()) result.addresses.push_back(std::move(address));
    if (result.addresses.empty()) result.problem = "it has none";
    return result;
}

const HostAddresses* HostLookup::wait(Deadline until, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    return ended_.wait_until(lock, stop, until, [&] { return found_.has_value(); }) ? &*found_ : nullptr;
}

void HostLookup::end(HostAddresses found) {
    const std::scoped_lock lock(mutex_);
    found_ = std::move(found);
    ended_.notify_all();
}

struct HostLookups::State {
    struct Name {
        std::shared_ptr<HostLookup> newest{};  ///< null when that one has ended
        std::chrono::steady_clock::time_point begun{};
        int under_way = 0;
    };

    explicit State(LookUp how) : look_up(std::move(how)) {}

    const LookUp look_up;
    std::mutex mutex;
    std::map<std::string, Name> names;
};

HostLookups::HostLookups(LookUp look_up) : state_(std::make_shared<State>(std::move(look_up))) {}

HostLookups& HostLookups::of_process() {
    // A lookup that hangs may outlive everything that is destroyed at exit.
    static auto& lookups = *new HostLookups;
    return lookups;
}

std::shared_ptr<HostLookup> HostLookups::look_up(const std::string& host) {
    const std::scoped_lock lock(state_->mutex);
    const auto now = std::chrono::steady_clock::now();
    const auto entry = state_->names.try_emplace(host).first;
    auto& name = entry->second;
    if (name.newest && (now - name.begun < young || name.under_way == most_at_once)) return name.newest;
    const auto lookup = std::make_shared<HostLookup>();
    try {
        std::thread([state = state_, lookup, host] {
            HostAddresses found;
            try {
                found = state->look_up(host);
            } catch (const std::exception& error) {
                found.problem = error.what();
            }
            {
                const std::scoped_lock ended(state->mutex);
                const auto own = state->names.find(host);
                if (own->second.newest == lookup) own->second.newest.reset();
                if (--own->second.under_way == 0) state->names.erase(own);
            }
            lookup->end(std::move(found));
        }).detach();
    } catch (const std::exception&) {
        if (name.under_way == 0) state_->names.erase(entry);
        throw DatabaseError(DatabaseError::Cause::connection,
                            "connect: there is no thread to look up host name \"" + host + "\"");
    }
    name = {lookup, now, name.under_way + 1};
    return lookup;
}

}  // namespace postgres
