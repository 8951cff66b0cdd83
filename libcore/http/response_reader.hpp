// Reads one response after another from the bytes of a connection, in bounded memory. No I/O.
#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "libcore/http/exchange.hpp"

namespace http {

/// A Beast body that keeps the beginning and counts the rest. (Beast's own string body reserves whatever
/// Content-Length announces.)
struct CutBody {
    static constexpr std::size_t kept = 4096;

    struct value_type {
        std::string beginning;
        std::uint64_t size = 0;
    };

    class reader {
    public:
        template <bool is_request, class Fields>
        reader(boost::beast::http::header<is_request, Fields>&, value_type& body) : body_(body) {}

        void init(const boost::optional<std::uint64_t>&, boost::system::error_code& error) { error = {}; }

        template <class Buffers>
        std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
            error = {};
            const auto count = boost::asio::buffer_size(buffers);
            const auto start = body_.beginning.size();
            body_.beginning.resize(std::min(kept, start + count));
            boost::asio::buffer_copy(boost::asio::buffer(body_.beginning) + start, buffers);
            body_.size += count;
            return count;
        }

        void finish(boost::system::error_code& error) { error = {}; }

    private:
        value_type& body_;
    };
};

class ResponseReader {
public:
    enum class Progress { incomplete, complete, malformed };

    /// Ready for the first response.
    ResponseReader();

    /// Forgets everything: the bytes to come are another response.
    void start();

    /// Where the next bytes go.
    boost::asio::mutable_buffer space();
    /// `count` bytes were put there.
    Progress received(std::size_t count);
    /// The peer closed its side, which is how some responses end.
    Progress received_eof();

    /// The complete response.
    Response response() const;
    /// Whether another request can follow: the peer allows it, and no byte came that nobody asked for.
    bool reusable() const;

private:
    using Parser = boost::beast::http::response_parser<CutBody>;

    void await_header();
    void note_header();
    Progress parse();
    Progress progress();

    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    std::optional<std::chrono::seconds> retry_after_;
};

}  // namespace http
