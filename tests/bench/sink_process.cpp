#include "tests/bench/sink_process.hpp"

#include <stdexcept>

#include "libcore/json/parser.hpp"
#include "tests/support/eventually.hpp"

namespace bench {

SinkProcess::SinkProcess()
    : port_(support::free_port()),
      process_("tidings-sink", {"--naive", "--port", std::to_string(port_)}, {}),
      client_(port_) {
    const auto answers = [this] {
        try {
            return emails() == 0;
        } catch (const std::runtime_error&) {
            return false;
        }
    };
    if (!support::eventually(answers)) throw std::runtime_error("the sink is silent:\n" + process_.log());
}

std::int64_t SinkProcess::count(const char* member) {
    const auto summary = json::parse(client_.request("GET", "/ledger/summary").body);
    return summary->find(member)->integer().value();
}

}  // namespace bench
