// The words that drills on a whole system share.
#pragma once

#include <chrono>
#include <string>

#include "tests/support/http_client.hpp"
#include "tests/support/system/system.hpp"
#include "tests/support/tcp_gate.hpp"

namespace drill {

using namespace std::chrono_literals;
using domain::Status;
using support::Comparison;
using support::Environment;
using support::eventually;
using support::metric;
using support::System;
using support::TcpGate;

/// When all are due.
inline const std::string nine = "2027-03-10T09:00:00Z";
inline const std::string nothing_to_claim = R"(hints_total{result="nothing_to_claim"})";

}  // namespace drill
