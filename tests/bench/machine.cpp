#include "tests/bench/machine.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace bench {

namespace fs = std::filesystem;

namespace {

/// /proc/PID/stat behind the command's name, which may contain anything.
struct Stat {
    pid_t parent = 0;
    long ticks = 0;  ///< its own and of children waited for
};

Stat read_stat(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    if (!std::getline(file, text)) throw std::runtime_error("no process " + std::to_string(pid));
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string skipped;
    Stat stat;
    fields >> skipped >> stat.parent;
    for (int field = 5; field < 14; ++field) fields >> skipped;
    for (int field = 14; field <= 17; ++field) {  // utime, stime, cutime, cstime
        long ticks = 0;
        fields >> ticks;
        stat.ticks += ticks;
    }
    return stat;
}

template <class Visit>
void for_each_process(Visit visit) {
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") == std::string::npos) visit(std::stoi(name));
    }
}

/// The sockets that listen on the port, as /proc/PID/fd links to them.
std::set<std::string> listening_sockets(int port) {
    std::set<std::string> sockets;
    for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::ifstream file(table);
        for (std::string line; std::getline(file, line);) {
            std::istringstream fields(line);
            std::string slot, local, remote, state, inode;
            fields >> slot >> local >> remote >> state;
            for (int field = 5; field <= 10; ++field) fields >> inode;
            const bool listens = state == "0A";
            if (listens && std::stoi(local.substr(local.rfind(':') + 1), nullptr, 16) == port)
                sockets.insert("socket:[" + inode + "]");
        }
    }
    return sockets;
}

std::chrono::microseconds processor_time_used(decltype(RUSAGE_SELF) who) {
    rusage used{};
    getrusage(who, &used);
    const auto sum = [](const timeval& time) {
        return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    };
    return sum(used.ru_utime) + sum(used.ru_stime);
}

}  // namespace

std::chrono::milliseconds processor_time(pid_t pid) {
    long ticks = read_stat(pid).ticks;
    for_each_process([&](pid_t other) {
        try {
            const Stat stat = read_stat(other);
            if (stat.parent == pid) ticks += stat.ticks;
        } catch (const std::runtime_error&) {  // it has ended meanwhile
        }
    });
    return std::chrono::milliseconds(ticks * 1000 / ::sysconf(_SC_CLK_TCK));
}

std::chrono::microseconds own_processor_time() {
    return processor_time_used(RUSAGE_SELF);
}

std::chrono::microseconds processor_time_of_ended() {
    return processor_time_used(RUSAGE_CHILDREN);
}

Memory memory(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    Memory memory;
    for (std::string line; std::getline(file, line);) {
        std::istringstream fields(line);
        std::string name;
        double kilobytes = 0;
        fields >> name >> kilobytes;
        if (name == "VmRSS:") memory.now = kilobytes / 1024;
        if (name == "VmHWM:") memory.peak = kilobytes / 1024;
        if (name == "RssAnon:") memory.own = kilobytes / 1024;
    }
    if (memory.peak == 0) throw std::runtime_error("no process " + std::to_string(pid));
    return memory;
}

double proportional_memory(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string word; file >> word;)
        if (double kilobytes = 0; word == "Pss:" && file >> kilobytes) return kilobytes / 1024;
    throw std::runtime_error("what process " + std::to_string(pid) + " takes cannot be read");
}

pid_t parent_of(pid_t pid) {
    return read_stat(pid).parent;
}

pid_t listener_on(int port) {
    const auto sockets = listening_sockets(port);
    pid_t found = 0;
    for_each_process([&](pid_t pid) {
        std::error_code not_ours;
        for (const auto& fd : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", not_ours)) {
            if (sockets.contains(fs::read_symlink(fd, not_ours).string())) found = pid;
        }
    });
    if (found == 0) throw std::runtime_error("cannot see who listens on port " + std::to_string(port));
    return found;
}

std::string machine_state() {
    double load = 0;
    ::getloadavg(&load, 1);
    std::ostringstream text;
    text << std::thread::hardware_concurrency() << " processors, load average " << load << " at the start";
    return text.str();
}

}  // namespace bench
