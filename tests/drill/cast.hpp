// The schedulers and workers of a drill: started with a part to play, killed, replaced. It notes every death.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/drill/verdict.hpp"
#include "tests/support/process.hpp"
#include "tests/support/system/system.hpp"

namespace drill {

/// A point at which a program built for drills kills itself, `name` or `name:pass`; empty is nowhere.
using PointOfDeath = std::string;

/// Does not wait until a program is ready: a drill may kill it before. One thread, which must outlive it.
class Cast {
public:
    /// `settings` are those of all, over the drills' own.
    explicit Cast(const support::System& system, support::Environment settings = {});

    /// Gives a new role to a program, and returns its number. `settings` are the role's.
    std::size_t hire(const std::string& program, const PointOfDeath& point = {},
                     const support::Environment& settings = {});
    /// The role goes on with a new process; one that still runs is asked to stop, and finishes or gives back.
    void replace(std::size_t role, const PointOfDeath& point = {}, const support::Environment& settings = {});
    /// kill -9.
    void kill(std::size_t role);

    /// Whether it was killed, or has killed itself. Throws when it ended in any other way.
    bool is_dead(std::size_t role);

    std::size_t size() const { return roles_.size(); }
    std::size_t deaths() const { return deaths_; }
    /// What the deaths explain.
    const std::vector<Interruption>& interruptions() const { return interruptions_; }

private:
    struct Role {
        std::string program;
        support::Environment settings;
        std::string client;  ///< of the present process: as the provider knows it
        std::unique_ptr<support::Process> process;
        bool dead = false;
    };

    void start(Role& role, const PointOfDeath& point);
    void note_death(Role& role, const std::string& how);

    const support::System& system_;
    support::Environment settings_;
    std::vector<Role> roles_;
    std::vector<Interruption> interruptions_;
    std::size_t deaths_ = 0;
    int processes_ = 0;
};

/// Where the programs with kill points are: beside those of TIDINGS_BIN.
std::string drill_program(const std::string& name);

/// All that the checker needs, when the drill is over.
Evidence gather(support::System& system, support::System::Provider kind,
                std::vector<Interruption> interruptions);

}  // namespace drill
