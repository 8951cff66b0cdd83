#include "services/api/trace_context.hpp"

#include <catch2/catch.hpp>
#include <string>

using api::trace_id;

TEST_CASE("the trace id of a traceparent header is taken over") {
    CHECK(trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01") ==
          "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(trace_id("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more") ==
          "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST_CASE("a malformed traceparent header is no trace") {
    for (const std::string header : {"", "00", "4bf92f3577b34da6a3ce929d0e0e4736",
                                     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                                     "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                                     "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                     "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                     "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                                     "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
                                     "00-canary@example.com0000000000000000-00f067aa0ba902b7-01",
                                     "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01"}) {
        CAPTURE(header);
        CHECK(trace_id(header).empty());
    }
}
