# What ./dev test runs: suites of tests/CMakeLists.txt, each in the builds where it tells something. Pistache is not
# instrumented for ThreadSanitizer, so what uses it is left out there. Instrumented services are too slow to share
# two cores.
#
# build    suite          parallel  when
suites() {
  grep -v '^ *#' <<'END'
  release  system_test    2         always
  release  drill_test     1         always
  asan     api_test       2         always
  asan     domain_test    2         always
  asan     json_test      2         always
  asan     oracle_test    2         always
  asan     demo_test      2         always
  asan     http_test      2         always
  asan     postgres_test  2         always
  asan     rabbitmq_test  2         always
  asan     redis_test     2         always
  asan     worker_test    2         always
  asan     runtime_test   2         always
  asan     system_test    1         long
  tsan     api_test       2         always
  tsan     domain_test    2         always
  tsan     json_test      2         always
  tsan     http_test      2         always
  tsan     postgres_test  2         always
  tsan     rabbitmq_test  2         always
  tsan     redis_test     2         always
  tsan     worker_test    2         always
END
}
