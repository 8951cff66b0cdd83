# help: what each command does. `./dev help COMMAND` and `./dev COMMAND --help` show its part alone.

command_help() {
  if [[ -z ${1:-} ]]; then
    manual
    return
  fi
  manual | awk -v command="$1" '
    /^  [a-z]/ { shown = $1 == command; found = found || shown }
    /^$/ { shown = 0 }
    shown
    END { exit !found }' || die "there is no command '$1'; ./dev help lists what there is"
}

manual() {
  cat <<'END'
./dev [--instance NAME] COMMAND: builds, runs and tests Tidings on this machine. It needs Debian 12 and nothing else:
missing packages are installed, servers are private to this checkout.

To see it and to trust it
  demo [--users N] [--hours N] [--seconds N] [--seed N]
                     Builds everything, starts an instance of its own on an empty database, and shows two days of
                     messages in two minutes, with a verdict. The instance stays for a look around.
  test [--long] [FILTER]
                     Checks, all tests in release, AddressSanitizer and ThreadSanitizer builds, on servers of their own,
                     and ten seconds of each fuzz target. One build is made while the tests of another run. FILTER is a
                     suite (postgres_test) or a regular expression on test names. --long adds the system tests on
                     instrumented services, and walks farther beside the model of the ledger (MODEL_WALKS, MODEL_SEED).
  fuzz [TARGET] [SECONDS]
                     Feeds the parsers of foreign bytes with whatever libFuzzer thinks of, a minute for each target.
  drill [--long] [NAME…]
                     Kills schedulers and workers at each step of dispatch and delivery and at random, and counts what is
                     lost, duplicated, early or unexplained. --long adds all pairs of steps, and 200 kills during
                     100,000 messages. NAME is a part of a drill's name; DRILL_SEED chooses other kills.
  bench [NAME [ARGUMENT…] | --list]
                     Runs one benchmark, or all but `peers`, which compares with job queues from the npm registry.
                     Results: .dev/bench/NAME.json.

To work with it (on the instance `main` unless --instance says otherwise)
  up [--workers N] [--schedulers N]
                     Builds, starts servers, migrates, starts services and the e-mail sink. A second `up` changes
                     nothing, or replaces what was built again. The numbers are remembered.
  down               Stops every instance of this checkout (but not one a running test uses); with --instance, that one.
  restart [NAME]     Restarts a process by its name in `status`, the replicas of a service (worker), or all services.
  status             Processes with pid, port, uptime, memory and readiness.
  logs [NAME] [-f]   The end of the services' logs, or of the log of one process; -f follows.
  psql [ARGUMENT…]   A psql on the instance's database.
  verify             Asks the running instance whether its invariants hold.
  reset [--yes]      Stops the instance and deletes its data.

To build and to mend
  build [PRESET]     dev, release (the default), drill, asan, tsan or fuzz, into build/PRESET.
  packages           Installs the Debian packages that are missing, also those of the tests, and keeps their services
                     from starting.
  doctor             What this machine lacks, what runs, what to do.
  help [COMMAND]     This text.
END
}
