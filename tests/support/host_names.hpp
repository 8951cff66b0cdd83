// Names of hosts as a test wants them: known, unknown, or stalled for as long as it likes. For any thread.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libcore/postgres/host_lookup.hpp"

namespace support {

class HostNames {
public:
    using Known = std::map<std::string, std::vector<std::string>>;

    explicit HostNames(Known known)
        : state_(std::make_shared<State>(std::move(known))),
          lookups_(std::make_shared<postgres::HostLookups>(
              [state = state_](const std::string& name) { return state->look_up(name); })) {}
    ~HostNames() { forward(); }
    HostNames(const HostNames&) = delete;
    HostNames& operator=(const HostNames&) = delete;

    const std::shared_ptr<postgres::HostLookups>& lookups() const { return lookups_; }

    /// Whoever asks for it from now on has to wait.
    void stall(const std::string& name) {
        const std::scoped_lock lock(state_->mutex);
        state_->stalled.insert(name);
    }
    void forward() {
        const std::scoped_lock lock(state_->mutex);
        state_->stalled.clear();
        state_->changed.notify_all();
    }

    /// So many lookups have begun.
    int asked() const {
        const std::scoped_lock lock(state_->mutex);
        return state_->asked;
    }

private:
    /// Lookups may outlive the test that stalled them.
    struct State {
        explicit State(Known all) : known(std::move(all)) {}

        postgres::HostAddresses look_up(const std::string& name) {
            std::unique_lock lock(mutex);
            ++asked;
            changed.wait(lock, [&] { return !stalled.contains(name); });
            const auto found = known.find(name);
            if (found == known.end()) return {{}, "nobody knows it"};
            return {found->second, ""};
        }

        std::mutex mutex;
        std::condition_variable changed;
        std::set<std::string> stalled;
        const Known known;
        int asked = 0;
    };

    const std::shared_ptr<State> state_;
    const std::shared_ptr<postgres::HostLookups> lookups_;
};

}  // namespace support
