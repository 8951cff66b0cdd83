# What ./dev test runs: suites of tests/CMakeLists.txt, each in the builds where it tells something. What knows no thread
# tells ThreadSanitizer nothing, and Pistache is not instrumented for it. Most tests wait, for servers, leases and
# deadlines, so those of a build run together, some at a time. Instrumented services are too slow to share two cores.
#
# build    suite          at a time  when
suites() {
  grep -v '^ *#' <<'END'
  release  system_test    3          always
  release  drill_test     3          always
  asan     api_test       3          always
  asan     domain_test    3          always
  asan     json_test      3          always
  asan     oracle_test    3          always
  asan     demo_test      3          always
  asan     http_test      3          always
  asan     postgres_test  3          always
  asan     rabbitmq_test  3          always
  asan     redis_test     3          always
  asan     scheduler_test 3          always
  asan     worker_test    3          always
  asan     runtime_test   3          always
  asan     service_test   3          always
  asan     system_test    1          long
  tsan     api_test       3          always
  tsan     http_test      3          always
  tsan     postgres_test  3          always
  tsan     rabbitmq_test  3          always
  tsan     redis_test     3          always
  tsan     runtime_test   3          always
  tsan     scheduler_test 3          always
  tsan     service_test   3          always
  tsan     worker_test    3          always
END
}
