# Static checks of the source: rules that the compiler does not know. Each counts as one test.

checks() {
  cat <<'END'
check_shellcheck   every script passes shellcheck
check_co_await     every co_await stands alone in its statement
check_parser       untrusted JSON goes through the one front door of libcore/json
check_pistache     of Pistache only its reactor is used
check_sql          SQL stands in libcore/postgres and migrations only
check_suites       every suite of tests/CMakeLists.txt is run
check_threads      every test that starts a thread says so to ThreadSanitizer
check_prometheus   promtool accepts the rules for Prometheus, and they compute what their tests say
check_pure_domain  libcore/domain does no input or output and knows no thread
END
}

# run_checks LIST FILTER [RUNNER]: those that the function LIST names, each a command, or the argument of RUNNER. A check
# writes what it objects to; silence is a pass, unless RUNNER fails.
run_checks() {
  local check title found
  while read -r check title; do
    [[ "check: $title" =~ $2 ]] || continue
    found=$(cd "$ROOT" && ${3:+"$3"} "$check" </dev/null 2>&1) || [[ -z ${3:-} || -n $found ]] ||
      found="$3 $check failed without a word"
    if [[ -z $found ]]; then
      ((++PASSED))
    else
      count_failure "check: $title"
      say "$found"
    fi
  done < <("$1")
}

check_shellcheck() { shellcheck dev .ci/run deploy/*/*.sh; }

# g++ 12 miscompiles `if (co_await …)`, `c ? co_await a() : …`, and temporaries of a lambda or an aggregate inside an
# awaited call. So a statement begins with co_await, or assigns or returns it, and has no brace before its end.
check_co_await() {
  # shellcheck disable=SC2016 # the dollars are Perl's
  sources libcore services tests | xargs -r perl -0777 -ne '
    s{//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"}{ $& =~ tr/\n//cdr }gse;
    my $line = 1;
    for my $statement (split /(?<=[;{}])/) {
      printf "%s:%d:%s\n", $ARGV, $line + ($` =~ tr/\n//), $statement =~ s/\s+/ /gr
        if $statement !~ /^\s*(?:[^=?(]*=\s*|co_return\s+)?co_await\b(?:(?!\bco_await\b).)*;$/s
        && $statement =~ /\bco_await\b/;
      $line += $statement =~ tr/\n//;
    }'
}

check_parser() {
  sources libcore services | xargs -r grep -nE 'Document[[:space:]]+[a-z_]+;|\.Parse(Insitu)?(<|\()|ParseStream' |
    grep -v '^libcore/json/parser\.cpp:'
}

# What it does wrong behind these cannot be repaired from our side.
check_pistache() {
  sources libcore services | xargs -r grep -nE \
    'Rest::|pistache/router|serveFile|ResponseStream|ResponseWriter[^)]|timeoutAfter|useSSL|Pistache::Http::Client'
}

check_sql() {
  sources libcore services | grep -v '^libcore/postgres/' | xargs -r grep -nE \
    '\b(SELECT|INSERT INTO|DELETE FROM|CREATE (TABLE|INDEX)|ALTER TABLE|TRUNCATE)\b|\bUPDATE [a-z_]+ SET\b' |
    grep -vE '^[^:]+:[0-9]+:[[:space:]]*//'
}

check_suites() {
  sed -n 's/^tidings_test(\([a-z_]*\) .*/\1/p' tests/CMakeLists.txt | grep -vxF -f <(suites | awk '{ print $2 }')
}

# ThreadSanitizer runs a suite whole or, with SOME_THREADS in tests/CMakeLists.txt, its tests that say [threads]. Pistache
# is not instrumented for it: whole services, and what listens by it, cannot be run.
check_threads() {
  local suite folder rest
  # shellcheck disable=SC2016 # the dollars are Perl's
  while read -r suite folder rest; do
    [[ $suite != system_test && $suite != drill_test ]] || continue
    if ! suites | grep -q "^ *tsan *$suite "; then
      find "tests/$folder" -name '*_test.cpp' -exec grep -HnE 'std::(j?thread|async)\b|TcpGate|Loops |"\[threads\]"' {} + |
        sed "s/^/$suite is not run under ThreadSanitizer: /"
    elif [[ $rest == SOME_THREADS* ]]; then
      find "tests/$folder" -name '*_test.cpp' -exec grep -LE 'http_server\.hpp|ops_server\.hpp|pistache/' {} + |
        xargs -r perl -0777 -ne '
          for my $test (split /^(?=TEST_CASE)/m) {
            my ($name) = $test =~ /^TEST_CASE[^"]*("[^"]*")/ or next;
            print "$ARGV: $name\n"
              if $test =~ /std::(?:j?thread|async)\b|TcpGate|Loops / && $test !~ /^[^{]*"\[threads\]"/
          }
          print "$ARGV\n" if /std::(?:j?thread|async)\b|Loops / && !/"\[threads\]"/'
    fi
  done < <(sed -n 's/^tidings_test(\([a-z_]*\) *\([a-z/]*\) */\1 \2 /p' tests/CMakeLists.txt)
}

# It has a word for what is well, too.
check_prometheus() {
  local rules=deploy/prometheus said
  said=$(promtool check rules "$rules"/*_aliases.yml 2>&1 && promtool test rules "$rules"/*_test.yml 2>&1) || echo "$said"
}

check_pure_domain() {
  sources libcore/domain | xargs -r grep -nE '#include' |
    grep -vE '#include "libcore/domain/' |
    grep -E '#include "|<[^>]*[./][^>]*>|<(fstream|iostream|istream|ostream|filesystem|thread|mutex|shared_mutex|condition_variable|future|atomic|semaphore|latch|barrier|stop_token|c?signal|ctime|random)>'
}

sources() { find "$@" \( -name '*.cpp' -o -name '*.hpp' \) -print; }
