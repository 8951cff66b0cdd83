// A certificate of a test's own, for servers that speak TLS.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace support {

/// Self-signed, made anew and removed with this.
class Certificate {
public:
    explicit Certificate(const std::string& host = "localhost") {
        std::string name = (std::filesystem::temp_directory_path() / "tidings-tls-XXXXXX").string();
        if (!mkdtemp(name.data())) throw std::runtime_error("cannot make " + name);
        folder_ = name;
        const auto command =
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
            "-subj /CN=" +
            host + " -addext subjectAltName=DNS:" + host + " -keyout " + key() + " -out " + certificate() +
            " 2>/dev/null";
        if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl req failed");
    }
    ~Certificate() { std::filesystem::remove_all(folder_); }
    Certificate(const Certificate&) = delete;
    Certificate& operator=(const Certificate&) = delete;

    std::string certificate() const { return (folder_ / "certificate.pem").string(); }
    std::string key() const { return (folder_ / "key.pem").string(); }

    /// Servers that run as somebody else.
    void let_others_read() const {
        using std::filesystem::perms;
        std::filesystem::permissions(folder_, perms::owner_all | perms::others_exec);
        std::filesystem::permissions(key(), perms::owner_read | perms::others_read);
    }

private:
    std::filesystem::path folder_;
};

}  // namespace support
