// Prometheus metrics of one process. Make metrics at start and keep the references: making one locks and
// allocates. Counting on them is safe from any thread.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace runtime {

using Labels = std::map<std::string, std::string>;
using Buckets = std::vector<double>;

/// Seconds, from 1 ms to 10 s, with the edges .05 .075 .1 1 5 that alerts are written against.
const Buckets& duration_buckets();

class Registry {
public:
    /// With process metrics (memory, CPU, open files, start time) and `build_info{service,version,commit}`.
    explicit Registry(const std::string& service);
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;
    ~Registry();

    /// The same name and labels give the same metric again. References live as long as the registry.
    prometheus::Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
    prometheus::Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
    prometheus::Histogram& histogram(const std::string& name, const std::string& help,
                                     const Labels& labels = {}, const Buckets& buckets = duration_buckets());

    /// Read at each scrape, on the scraping thread: `read` must be quick, safe from any thread, and outlive
    /// the last scrape.
    void sampled_gauge(const std::string& name, const std::string& help, const Labels& labels,
                       std::function<double()> read);
    void sampled_counter(const std::string& name, const std::string& help, const Labels& labels,
                         std::function<double()> read);

    /// Everything in Prometheus' text format.
    std::string text() const;

private:
    class Content;
    std::unique_ptr<Content> content_;
};

}  // namespace runtime
