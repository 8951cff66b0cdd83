#include "libcore/http/response_reader.hpp"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>

namespace http {
namespace {

constexpr std::size_t longest_header = 8 * 1024;
/// Reading a little too much keeps the connection; beyond this a new one is cheaper.
constexpr std::uint64_t longest_drain = 64 * 1024;
constexpr std::size_t read_size = 4 * 1024;
/// A header, and a read that began before it was complete.
constexpr std::size_t longest_buffer = longest_header + 2 * read_size;
/// "0\r\n\r\n". Every chunked body ends in as many bytes, and Beast asserts so much of them when it looks at
/// a last chunk again.
constexpr std::size_t shortest_last_chunk = 5;

}  // namespace

ResponseReader::ResponseReader() : buffer_(longest_buffer) {
    buffer_.reserve(read_size);
    await_header();
}

void ResponseReader::start() {
    buffer_.clear();
    await_header();
}

void ResponseReader::await_header() {
    parser_.emplace();  // not eager: it stops behind the header, for note_header
    retry_after_.reset();
    parser_->header_limit(longest_header);
    parser_->body_limit(boost::none);
}

boost::asio::mutable_buffer ResponseReader::space() {
    return buffer_.prepare(read_size);
}

ResponseReader::Progress ResponseReader::received(std::size_t count) {
    buffer_.commit(count);
    return parse();
}

ResponseReader::Progress ResponseReader::received_eof() {
    if (!parser_->got_some()) return Progress::incomplete;
    boost::system::error_code error;
    parser_->put_eof(error);
    return error ? Progress::incomplete : progress();
}

ResponseReader::Progress ResponseReader::parse() {
    while (buffer_.size() > 0 && !parser_->is_done()) {
        const bool in_chunks = parser_->is_header_done() && parser_->chunked();
        if (in_chunks && buffer_.size() < shortest_last_chunk) break;
        boost::system::error_code error;
        buffer_.consume(parser_->put(buffer_.data(), error));
        if (parser_->is_header_done() && !parser_->eager()) note_header();
        if (error == boost::beast::http::error::need_more) break;
        if (error) return Progress::malformed;
    }
    const bool informational = parser_->is_done() && parser_->get().result_int() / 100 == 1;
    if (informational) {
        await_header();
        return parse();
    }
    // What the parser cannot consume must still fit beside the next read.
    if (buffer_.size() > longest_buffer - read_size) return Progress::malformed;
    return progress();
}

ResponseReader::Progress ResponseReader::progress() {
    return parser_->is_done() || parser_->get().body().size > longest_drain ? Progress::complete
                                                                            : Progress::incomplete;
}

/// Before the parser adds the fields of a trailer, which may claim anything, to those of the header.
void ResponseReader::note_header() {
    parser_->eager(true);
    const auto& message = parser_->get();
    const auto field = message.find(boost::beast::http::field::retry_after);
    if (field == message.end()) return;
    // A date is counted from the provider's own clock where it tells it.
    const auto date = parse_http_date(message[boost::beast::http::field::date]);
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    retry_after_ = parse_retry_after(field->value(), date.value_or(now));
}

Response ResponseReader::response() const {
    const auto& message = parser_->get();
    return {static_cast<int>(message.result_int()), message.body().beginning, retry_after_};
}

bool ResponseReader::reusable() const {
    return parser_->is_done() && parser_->keep_alive() && buffer_.size() == 0;
}

}  // namespace http
