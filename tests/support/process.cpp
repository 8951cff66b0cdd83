#include "tests/support/process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>
#include <thread>

#include "tests/support/http_client.hpp"

namespace support {

namespace {

constexpr std::chrono::milliseconds poll_interval{10};

std::string path_of(const std::string& program) {
    if (program.find('/') != std::string::npos) return program;
    const char* folder = std::getenv("TIDINGS_BIN");
    if (folder == nullptr)
        throw std::runtime_error("TIDINGS_BIN is not set: the folder with the programs under test");
    return std::string(folder) + "/" + program;
}

std::vector<std::string> with_inherited(const Environment& environment) {
    Environment all = environment;
    for (const char* name :
         {"PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"}) {
        if (const char* value = std::getenv(name)) all.emplace(name, value);
    }
    std::vector<std::string> entries;
    for (const auto& [name, value] : all) entries.push_back(name + "=" + value);
    return entries;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (auto& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

int port_of(Environment& environment, const std::string& name) {
    return std::stoi(environment.try_emplace(name, std::to_string(free_port())).first->second);
}

bool ready(int ops_port) {
    try {
        return http_get(ops_port, "/readyz").status == 200;
    } catch (const std::runtime_error&) {
        return false;
    }
}

}  // namespace

int free_port() {
    static std::mt19937 random(std::random_device{}());
    std::uniform_int_distribution<int> ports(20000, 32000);
    for (int tries = 0; tries < 1000; ++tries) {
        const int port = ports(random);
        const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool is_free = ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(probe);
        if (is_free) return port;
    }
    throw std::runtime_error("no free port between 20000 and 32000");
}

Process::Process(const std::string& program, const std::vector<std::string>& arguments,
                 const Environment& environment)
    : name_(program), output_(::memfd_create("output", MFD_CLOEXEC)) {
    const std::string path = path_of(program);
    std::vector<std::string> words{path};
    words.insert(words.end(), arguments.begin(), arguments.end());
    auto variables = with_inherited(environment);
    const auto argv = pointers(words);
    const auto envp = pointers(variables);
    // The log is read through this descriptor while the child appends through its own.
    ::fcntl(output_, F_SETFL, O_APPEND);

    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(output_, STDOUT_FILENO);
        ::dup2(output_, STDERR_FILENO);
        ::execve(path.c_str(), argv.data(), envp.data());
        ::_exit(127);
    }
}

Process::~Process() {
    if (running()) {
        send_signal(SIGKILL);
        reap(0);
    }
    ::close(output_);
}

bool Process::running() {
    return !reap(WNOHANG);
}

void Process::send_signal(int signal) const {
    if (!exit_code_) ::kill(pid_, signal);
}

int Process::wait_for_exit(std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (running()) {
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error(name_ + " still runs; its output:\n" + log());
        }
        std::this_thread::sleep_for(poll_interval);
    }
    return *exit_code_;
}

std::string Process::log() const {
    struct stat information {};
    ::fstat(output_, &information);
    std::string text(static_cast<std::size_t>(information.st_size), '\0');
    const auto length = ::pread(output_, text.data(), text.size(), 0);
    text.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
    return text;
}

/// True when the process has ended; its exit code is kept.
bool Process::reap(int options) {
    if (exit_code_) return true;
    int status = 0;
    if (::waitpid(pid_, &status, options) != pid_) return false;
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

Service::Service(const std::string& program, Environment environment, std::chrono::milliseconds ready_within)
    : port_(port_of(environment, "PORT")),
      ops_port_(port_of(environment, "OPS_PORT")),
      process_(program, {}, environment) {
    const auto deadline = std::chrono::steady_clock::now() + ready_within;
    while (!ready(ops_port_)) {
        if (!process_.running()) throw std::runtime_error(program + " ended; its output:\n" + process_.log());
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error(program + " is not ready; its output:\n" + process_.log());
        }
        std::this_thread::sleep_for(poll_interval);
    }
}

int Service::stop(std::chrono::milliseconds timeout) {
    process_.send_signal(SIGTERM);
    return process_.wait_for_exit(timeout);
}

void Service::kill() {
    process_.send_signal(SIGKILL);
    process_.wait_for_exit();
}

Finished run(const std::string& program, const std::vector<std::string>& arguments,
             const Environment& environment, std::chrono::milliseconds timeout) {
    Process process(program, arguments, environment);
    const int exit_code = process.wait_for_exit(timeout);
    return {exit_code, process.log()};
}

}  // namespace support
