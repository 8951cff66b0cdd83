#include "libcore/runtime/metrics.hpp"

#include <prometheus/collectable.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <utility>

#include "libcore/runtime/command_line.hpp"
#include "libcore/runtime/log.hpp"

namespace runtime {
namespace {

double resident_bytes() {
    std::ifstream file("/proc/self/statm");
    double total_pages = 0;
    double resident_pages = 0;
    file >> total_pages >> resident_pages;
    return resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double open_files() {
    std::error_code error;
    const std::filesystem::directory_iterator files("/proc/self/fd", error);
    return error ? 0 : static_cast<double>(std::distance(begin(files), end(files)));
}

double max_open_files() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<double>(limit.rlim_cur);
}

/// Metrics that are computed when they are asked for.
class Samples : public prometheus::Collectable {
public:
    void add(const std::string& name, const std::string& help, prometheus::MetricType type,
             const Labels& labels, std::function<double()> read) {
        const std::lock_guard lock(mutex_);
        auto family = std::ranges::find(families_, name, &Family::name);
        if (family == families_.end()) family = families_.insert(family, Family{name, help, type, {}});
        family->samples.push_back({labels, std::move(read)});
    }

    std::vector<prometheus::MetricFamily> Collect() const override {
        const std::lock_guard lock(mutex_);
        std::vector<prometheus::MetricFamily> collected;
        for (const auto& family : families_) {
            auto& result = collected.emplace_back();
            result.name = family.name;
            result.help = family.help;
            result.type = family.type;
            for (const auto& sample : family.samples) result.metric.push_back(read(sample, family.type));
        }
        return collected;
    }

private:
    struct Sample {
        Labels labels;
        std::function<double()> read;
    };
    struct Family {
        std::string name;
        std::string help;
        prometheus::MetricType type;
        std::vector<Sample> samples;
    };

    static prometheus::ClientMetric read(const Sample& sample, prometheus::MetricType type) {
        prometheus::ClientMetric metric;
        for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
        (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = sample.read();
        return metric;
    }

    mutable std::mutex mutex_;
    std::vector<Family> families_;
};

}  // namespace

class Registry::Content {
public:
    prometheus::Registry metrics{prometheus::Registry::InsertBehavior::Merge};
    Samples samples;
};

const Buckets& duration_buckets() {
    static const Buckets buckets{.001, .0025, .005, .01, .025, .05, .075, .1, .25, .5, 1, 2.5, 5, 10};
    return buckets;
}

Registry::Registry(const std::string& service) : content_(std::make_unique<Content>()) {
    const auto start = static_cast<double>(::time(nullptr));
    gauge("build_info", "What is running",
          {{"service", service}, {"version", version()}, {"commit", commit()}})
        .Set(1);
    sampled_gauge("process_resident_memory_bytes", "Resident memory", {}, resident_bytes);
    sampled_counter("process_cpu_seconds_total", "User and system CPU time", {}, cpu_seconds);
    sampled_gauge("process_open_fds", "Open file descriptors", {}, open_files);
    sampled_gauge("process_max_fds", "Limit on open file descriptors", {}, max_open_files);
    sampled_gauge("process_start_time_seconds", "Start of the process, Unix time", {},
                  [start] { return start; });
    sampled_counter("log_lines_dropped_total", "Log lines dropped because stdout could not keep up", {},
                    [] { return static_cast<double>(log::dropped_lines()); });
}

Registry::~Registry() = default;

prometheus::Counter& Registry::counter(const std::string& name, const std::string& help,
                                       const Labels& labels) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(content_->metrics).Add(labels);
}

prometheus::Gauge& Registry::gauge(const std::string& name, const std::string& help, const Labels& labels) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(content_->metrics).Add(labels);
}

prometheus::Histogram& Registry::histogram(const std::string& name, const std::string& help,
                                           const Labels& labels, const Buckets& buckets) {
    return prometheus::BuildHistogram()
        .Name(name)
        .Help(help)
        .Register(content_->metrics)
        .Add(labels, buckets);
}

void Registry::sampled_gauge(const std::string& name, const std::string& help, const Labels& labels,
                             std::function<double()> read) {
    content_->samples.add(name, help, prometheus::MetricType::Gauge, labels, std::move(read));
}

void Registry::sampled_counter(const std::string& name, const std::string& help, const Labels& labels,
                               std::function<double()> read) {
    content_->samples.add(name, help, prometheus::MetricType::Counter, labels, std::move(read));
}

std::string Registry::text() const {
    auto families = content_->metrics.Collect();
    std::ranges::move(content_->samples.Collect(), std::back_inserter(families));
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace runtime
