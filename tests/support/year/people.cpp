#include "tests/support/year/people.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <set>

#include "tests/support/year/dice.hpp"
#include "tests/support/year/outages.hpp"

namespace year {

namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::minutes;
using std::chrono::sys_days;
using Kind = Change::Kind;

// Both sides of the date line, halves and quarters of hours, changes of half an hour and of two, changes at
// midnight, Ramadan, and names that are links.
constexpr std::array remarkable_zones{"UTC",
                                      "Pacific/Kiritimati",
                                      "Etc/GMT+12",
                                      "Pacific/Pago_Pago",
                                      "Pacific/Apia",
                                      "Asia/Kathmandu",
                                      "Asia/Calcutta",
                                      "Asia/Kolkata",
                                      "Pacific/Chatham",
                                      "Australia/Lord_Howe",
                                      "Australia/Eucla",
                                      "Antarctica/Troll",
                                      "America/St_Johns",
                                      "Africa/Casablanca",
                                      "America/Santiago",
                                      "America/New_York",
                                      "US/Eastern",
                                      "Europe/Berlin",
                                      "Europe/London",
                                      "Asia/Beirut",
                                      "Africa/Cairo",
                                      "America/Havana",
                                      "Asia/Tehran",
                                      "Pacific/Auckland",
                                      "NZ",
                                      "Pacific/Marquesas",
                                      "Etc/GMT-14",
                                      "Atlantic/Azores",
                                      "America/Nuuk",
                                      "America/Adak"};

constexpr std::array first_names{"Ada",   "Zoë",  "Grace", "100%",   "{first_name}", "%1$s",
                                 "Linus", "José", "李",    "O'Hara", "Jean Luc",     "\\n"};
constexpr std::array last_names{"Byron", "Hopper",     "Nuñez", "{years}",     "%s %d",
                                "王",    "de la Cruz", "Łódź",  "Smith-Jones", "Müller"};

std::vector<std::string> zones_in_use(const World& world, std::vector<std::string> all) {
    Dice dice(world.options.seed, 5);
    std::vector<std::string> chosen;
    for (const char* zone : remarkable_zones)
        if (std::ranges::find(all, zone) != all.end()) chosen.emplace_back(zone);
    std::erase_if(all, [&](const auto& zone) { return std::ranges::find(chosen, zone) != chosen.end(); });
    while (!all.empty() && std::cmp_less(chosen.size(), world.options.zones)) {
        const auto taken = all.begin() + dice.below(static_cast<int>(all.size()));
        chosen.push_back(std::move(*taken));
        all.erase(taken);
    }
    return chosen;
}

bool keeps(const Person& person, const model::Occasion& date) {
    return std::ranges::any_of(
        person.dates, [&](const auto& other) { return other.type == date.type && other.date == date.date; });
}

domain::Uuid id_of(Instant at, Dice& dice) {
    std::array<std::uint8_t, 10> random{};
    for (auto& byte : random) byte = static_cast<std::uint8_t>(dice.below(256));
    return domain::uuid_v7(std::chrono::floor<std::chrono::milliseconds>(at), random);
}

class Populating {
public:
    Populating(World& world, const std::vector<std::string>& zones)
        : world_(world), zones_(zones_in_use(world, zones)), dice_(world.options.seed, 1) {}

    void run() {
        const int newcomers = world_.options.users / 20;
        const int first = world_.options.users - newcomers;
        for (int i = 0; i < world_.options.users; ++i) {
            const auto number = static_cast<std::size_t>(i);
            // Many zones come into use only with somebody who joins or moves.
            const std::size_t known = i < first ? (zones_.size() + 1) / 2 : zones_.size();
            Person person = somebody(number, zones_[number % known]);
            Instant since = world_.begin;
            if (i >= first) {
                since = quiet(some_time());
                add(since, number, Kind::added, without_dates(person));
                for (const auto& date : person.dates) add_date(since, number, date);
            } else {
                world_.people.push_back(person);
            }
            world_.ids.push_back(id_of(since, dice_));
            if (dice_.percent(14)) live(number, std::move(person), since);
        }
        std::ranges::stable_sort(world_.changes, {}, &Change::at);
    }

private:
    Person somebody(std::size_t number, const std::string& zone) {
        Person person;
        person.fields.first_name = dice_.of(first_names);
        person.fields.last_name = dice_.of(last_names);
        person.fields.email =
            "person" + std::to_string(number) + (dice_.percent(1) ? refused_address : "@") + "example.org";
        person.fields.timezone = zone;
        person.fields.opted_out = dice_.percent(3);
        if (dice_.percent(95)) person.fields.birthday_date = some_date(1930, 2026);
        if (dice_.percent(40)) person.fields.anniversary_date = some_date(2005, 2027);
        for (int n = dice_.percent(25) ? dice_.between(1, 2) : 0; n > 0; --n) {
            const auto date = some_occasion();
            if (!keeps(person, date)) person.dates.push_back(date);
        }
        return person;
    }

    static Person without_dates(Person person) {
        person.dates.clear();
        return person;
    }

    void add_date(Instant at, std::size_t number, const model::Occasion& date) {
        Person after = world_.changes.back().after;
        after.dates.push_back(date);
        add(at, number, Kind::date_added, std::move(after), date);
    }

    model::Occasion some_occasion() {
        model::Occasion date{.type = custom_type, .date = {}};
        date.one_off = dice_.percent(30);
        date.date =
            date.one_off
                ? domain::Date(sys_days(world_.options.first) + days(dice_.below(world_.options.days)))
                : some_date(2010, 2027);
        return date;
    }

    /// A short time is made worth its while: most of what people keep falls into it.
    domain::Date some_date(int earliest, int latest) {
        const std::chrono::year year(dice_.between(earliest, latest));
        if (dice_.percent(2)) return std::chrono::year(static_cast<int>(year) / 4 * 4) / 2 / 29;
        const bool here = world_.options.days < 100 && dice_.percent(60);
        const auto first = here ? sys_days(world_.options.first) : sys_days(year / 1 / 1);
        const domain::Date day(first + days(dice_.below(here ? world_.options.days : 365)));
        const domain::Date same_day = year / day.month() / day.day();
        return same_day.ok() ? same_day : domain::Date(year / 2 / 28);
    }

    Instant some_time() {
        return world_.begin + 1h + minutes(dice_.below(world_.options.days * 24 * 60 - 240));
    }

    Instant quiet(Instant at) const {
        while (doubtful(world_.outages, at)) at += 97min;
        return at;
    }

    /// Within a day or so of something that is owed, or at any time.
    Instant next_time(const Person& person, std::size_t number, Instant since) {
        std::map<std::string, model::Type> types;
        for (const auto& type : world_.types) types[type.name] = type.rules;
        const auto owed = owed_between(as_user(person, world_.ids[number]), types, since, world_.end);
        Instant at = since + 1min + minutes(dice_.below(30 * 24 * 60));
        if (!owed.empty() && dice_.percent(75))
            at = dice_.of(owed).instant + minutes(dice_.between(-30 * 60, 30 * 60));
        at = std::chrono::floor<minutes>(std::max(at, since + 1min));
        return quiet(at);
    }

    void live(std::size_t number, Person person, Instant since) {
        const std::string home = person.fields.timezone;
        for (int n = dice_.between(1, 5); n > 0; --n) {
            since = next_time(person, number, since);
            if (since >= world_.end - 1h || person.deleted) return;
            happen(number, person, since, home);
        }
    }

    void happen(std::size_t number, Person& person, Instant at, const std::string& home) {
        auto& fields = person.fields;
        const int what = dice_.below(100);
        if (what < 40) {
            const auto before =
                std::exchange(fields.timezone, fields.timezone != home && dice_.percent(60) ? home
                                               : dice_.percent(50) ? std::string(dice_.of(remarkable_zones))
                                                                   : dice_.of(zones_));
            if (fields.timezone != before) add(at, number, Kind::edited, person);
        } else if (what < 60) {
            correct(dice_.percent(70) ? fields.birthday_date : fields.anniversary_date, at);
            add(at, number, Kind::edited, person);
        } else if (what < 76) {
            fields.opted_out = !fields.opted_out;
            add(at, number, Kind::edited, person);
        } else if (what < 81) {
            person.deleted = true;
            add(at, number, Kind::deleted, person);
        } else if (what < 90) {
            fields.first_name += "a";
            fields.email.insert(fields.email.find_first_of(".@"), "+" + std::to_string(what));
            add(at, number, Kind::edited, person);
        } else if (what < 95 || person.dates.empty()) {
            const model::Occasion date{
                .type = custom_type, .date = near(at, dice_.between(2011, 2027)), .one_off = false};
            if (keeps(person, date)) return;
            person.dates.push_back(date);
            add(at, number, Kind::date_added, person, date);
        } else {
            const auto date = person.dates.back();
            person.dates.pop_back();
            add(at, number, Kind::date_removed, person, date);
        }
    }

    /// By a few days, or to just now.
    void correct(std::optional<domain::Date>& date, Instant at) {
        if (!date || dice_.percent(40)) {
            date = near(at, dice_.between(1990, 2026));
        } else {
            date = domain::Date(sys_days(*date) + days(dice_.between(1, 3) * (dice_.percent(50) ? 1 : -1)));
        }
    }

    domain::Date near(Instant at, int in_year) {
        const domain::Date day(std::chrono::floor<days>(at) + days(dice_.between(-1, 2)));
        const domain::Date same_day = std::chrono::year(in_year) / day.month() / day.day();
        return same_day.ok() ? same_day : domain::Date(std::chrono::year(in_year) / 2 / 28);
    }

    void add(Instant at, std::size_t number, Kind kind, const Person& after,
             const model::Occasion& date = {}) {
        world_.changes.push_back({.at = at, .person = number, .kind = kind, .after = after, .date = date});
    }

    World& world_;
    const std::vector<std::string> zones_;
    Dice dice_;
};

/// The share of a spread is made of the id: the first 32 bits of the MD5 of its text.
double share_of(const domain::Uuid& id) {
    const std::string text = domain::to_string(id);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_md5(), nullptr);
    double share = 0;
    for (int i = 3; i >= 0; --i) share = (share + digest[static_cast<std::size_t>(i)]) / 256;
    return share;
}

}  // namespace

void populate(World& world, const std::vector<std::string>& zones) {
    Populating(world, zones).run();
}

model::User as_user(const Person& person, const domain::Uuid& id) {
    model::User user{.zone = person.fields.timezone,
                     .occasions = person.dates,
                     .opted_out = person.fields.opted_out,
                     .deleted = person.deleted,
                     .share = share_of(id)};
    if (person.fields.birthday_date)
        user.occasions.push_back({.type = "BIRTHDAY", .date = *person.fields.birthday_date});
    if (person.fields.anniversary_date)
        user.occasions.push_back({.type = "ANNIVERSARY", .date = *person.fields.anniversary_date});
    return user;
}

}  // namespace year
