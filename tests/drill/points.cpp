#include "tests/drill/points.hpp"

namespace drill {

namespace {

using Program = Point::Program;
using Needs = Point::Needs;

// Leaves messages claimed and nobody to send them.
constexpr const char* in_hand = "claim.committed";

std::string text(const Point& point) {
    return point.name + ":" + std::to_string(point.pass);
}

Stage stage_of(const Point& point) {
    Stage stage;
    (point.program == Program::scheduler ? stage.scheduler : stage.worker) = text(point);
    if (point.needs == Needs::lost_worker) stage.worker = in_hand;
    stage.provider_closes = point.needs == Needs::closed_provider;
    return stage;
}

}  // namespace

const std::vector<Point>& points() {
    using Repeats = Point::Repeats;
    static const std::vector<Point> all{
        {.name = "dispatch.picked", .program = Program::scheduler},
        {.name = "dispatch.published_one", .program = Program::scheduler, .pass = 3},
        {.name = "dispatch.confirmed", .program = Program::scheduler},
        {.name = "dispatch.committed", .program = Program::scheduler},
        {.name = "rescue.marked", .program = Program::scheduler, .needs = Needs::lost_worker},
        {.name = "rescue.committed", .program = Program::scheduler, .needs = Needs::lost_worker},
        {.name = "hint.received", .program = Program::worker, .repeats = Repeats::perhaps, .pass = 3},
        {.name = "claim.begins", .program = Program::worker},
        {.name = "claim.locked", .program = Program::worker},
        {.name = "claim.marked", .program = Program::worker},
        {.name = "claim.committed", .program = Program::worker},
        {.name = "request.ready", .program = Program::worker, .repeats = Repeats::perhaps, .pass = 3},
        {.name = "request.written", .program = Program::worker, .repeats = Repeats::surely, .pass = 3},
        {.name = "answer.received", .program = Program::worker, .repeats = Repeats::surely, .pass = 3},
        {.name = "record.begins", .program = Program::worker, .repeats = Repeats::surely},
        {.name = "record.marked", .program = Program::worker, .repeats = Repeats::surely},
        {.name = "record.committed", .program = Program::worker, .repeats = Repeats::perhaps},
        {.name = "hints.acked", .program = Program::worker, .repeats = Repeats::perhaps},
        {.name = "give_back.begins", .program = Program::worker, .needs = Needs::closed_provider},
        {.name = "give_back.marked", .program = Program::worker, .needs = Needs::closed_provider},
        {.name = "give_back.committed", .program = Program::worker, .needs = Needs::closed_provider},
        {.name = "hints.given_back", .program = Program::worker, .needs = Needs::closed_provider},
    };
    return all;
}

std::vector<Stage> stages_of(const std::vector<Point>& deaths) {
    std::vector<Stage> stages;
    for (const Point& death : deaths) {
        const Stage next = stage_of(death);
        Stage* last = stages.empty() ? nullptr : &stages.back();
        if (last && last->worker.empty() && next.scheduler.empty()) {
            last->worker = next.worker;
            last->provider_closes = next.provider_closes;
        } else if (last && last->scheduler.empty() && next.worker.empty()) {
            last->scheduler = next.scheduler;
        } else {
            stages.push_back(next);
        }
    }
    return stages;
}

}  // namespace drill
