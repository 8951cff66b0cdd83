// nginx with the configuration that is shipped, in front of a port of this machine.
#pragma once

#include <filesystem>
#include <string>

#include "tests/support/process.hpp"

namespace support {

/// Of deploy/nginx/nginx.conf only addresses and the folder it writes to are changed. One process, without
/// privileges of its own; it ends with this object. Throws when nginx does not come to listen.
class Edge {
public:
    /// `directives` are added to the server's, as an operator would write them into http.conf.
    explicit Edge(int upstream_port, const std::string& directives = {});
    ~Edge();
    Edge(const Edge&) = delete;
    Edge& operator=(const Edge&) = delete;

    int port() const { return port_; }
    /// Access and error log.
    std::string log() const { return nginx_.log(); }

private:
    int port_;
    std::filesystem::path folder_;
    Process nginx_;
};

}  // namespace support
