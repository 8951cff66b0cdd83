#include "libcore/postgres/lending_names.hpp"

#include <cstdlib>

namespace postgres {

std::string_view to_string(Lending::Reason reason) {
    switch (reason) {
        case Lending::Reason::late:
            return "late";
        case Lending::Reason::full:
            return "full";
        case Lending::Reason::shed:
            return "shed";
        case Lending::Reason::unreachable:
            return "unreachable";
        case Lending::Reason::paused:
            return "paused";
        case Lending::Reason::circuit:
            return "circuit";
        case Lending::Reason::closed:
            return "closed";
    }
    std::abort();
}

std::string_view to_string(CloseReason reason) {
    switch (reason) {
        case CloseReason::idle:
            return "idle";
        case CloseReason::lifetime:
            return "lifetime";
        case CloseReason::uses:
            return "uses";
        case CloseReason::renewed:
            return "renewed";
        case CloseReason::resized:
            return "resized";
        case CloseReason::broken:
            return "broken";
        case CloseReason::dead:
            return "dead";
        case CloseReason::unhealthy:
            return "unhealthy";
        case CloseReason::unanswered:
            return "unanswered";
        case CloseReason::closed:
            return "closed";
    }
    std::abort();
}

std::string_view to_string(Lending::Place::State state) {
    switch (state) {
        case Lending::Place::State::empty:
            return "none";
        case Lending::Place::State::opening:
        case Lending::Place::State::opening_ahead:
        case Lending::Place::State::opening_abandoned:
            return "opening";
        case Lending::Place::State::active:
            return "active";
        case Lending::Place::State::idle:
            return "idle";
        case Lending::Place::State::validating:
            return "validating";
        case Lending::Place::State::closing:
            return "closing";
    }
    std::abort();
}

std::string_view to_string(Circuit::State state) {
    switch (state) {
        case Circuit::State::closed:
            return "closed";
        case Circuit::State::half_open:
            return "half_open";
        case Circuit::State::open:
            return "open";
    }
    std::abort();
}

}  // namespace postgres
