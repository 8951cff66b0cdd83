#include "libcore/runtime/metrics.hpp"

#include <catch2/catch.hpp>

using Catch::Matchers::Contains;

TEST_CASE("metrics appear in the text and the same name and labels are the same metric") {
    runtime::Registry registry("worker-svc");
    auto& sent = registry.counter("sent_total", "Messages sent", {{"type", "BIRTHDAY"}});
    sent.Increment();
    CHECK(&registry.counter("sent_total", "Messages sent", {{"type", "BIRTHDAY"}}) == &sent);
    registry.counter("sent_total", "Messages sent", {{"type", "ANNIVERSARY"}}).Increment(2);
    registry.gauge("lanes", "Lanes in use").Set(3);
    registry.histogram("query_seconds", "Queries").Observe(.06);
    double depth = 5;
    registry.sampled_gauge("depth", "Queue depth", {{"queue", "a"}}, [&] { return depth; });
    registry.sampled_gauge("depth", "Queue depth", {{"queue", "b"}}, [] { return 1.0; });
    CHECK_THAT(registry.text(), Contains(R"(depth{queue="a"} 5)"));
    depth = 6;
    const auto text = registry.text();
    CHECK_THAT(text, Contains(R"(sent_total{type="BIRTHDAY"} 1)") &&
                         Contains(R"(sent_total{type="ANNIVERSARY"} 2)"));
    CHECK_THAT(text,
               Contains("lanes 3") && Contains(R"(depth{queue="a"} 6)") && Contains(R"(depth{queue="b"} 1)"));
    CHECK_THAT(text, Contains(R"(query_seconds_bucket{le="0.05"} 0)") &&
                         Contains(R"(query_seconds_bucket{le="0.075"} 1)"));
    CHECK_THAT(text, Contains("build_info{") && Contains(R"(service="worker-svc")"));
    const auto first = text.find("# TYPE depth");
    CHECK(text.find("# TYPE depth", first + 1) == std::string::npos);
}

TEST_CASE("the process reports its memory and its files and its CPU time") {
    const auto text = runtime::Registry("test").text();
    for (const auto* name : {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds",
                             "process_max_fds", "process_start_time_seconds", "log_lines_dropped_total"}) {
        CAPTURE(name);
        CHECK_THAT(text, Contains(std::string("\n") + name + " "));
    }
    CHECK_THAT(text, !Contains("process_open_fds 0\n") && !Contains("process_resident_memory_bytes 0\n"));
}
