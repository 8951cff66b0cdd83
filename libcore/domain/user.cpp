#include "libcore/domain/user.hpp"

#include <algorithm>
#include <cstdint>

namespace domain {

namespace {

constexpr std::size_t longest_place = 100;
constexpr std::size_t longest_external_id = 128;
// RFC 5321 counts octets: 64 before the @, 254 in all.
constexpr std::size_t longest_local_part = 64;
constexpr std::size_t longest_email = 254;
constexpr std::size_t longest_label = 63;

bool continues_code_point(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

/// Of valid UTF-8.
std::u32string code_points(std::string_view text) {
    std::u32string points;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (continues_code_point(c) && !points.empty()) {
            points.back() = (points.back() << 6) | (byte & 0x3F);
        } else {
            points += byte < 0xC0   ? byte
                      : byte < 0xE0 ? byte & 0x1F
                      : byte < 0xF0 ? byte & 0x0F
                                    : byte & 0x07;
        }
    }
    return points;
}

/// Unicode's White_Space without the controls among them.
bool is_space(char32_t c) {
    return c == U' ' || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

/// Controls, and what breaks a line: in a name they could forge a header or a log line.
bool is_control(char32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029;
}

/// What is forgiven around a text. A line break is not: nobody types one into a name.
bool is_blank(char32_t c) {
    return is_space(c) || c == U'\t';
}

std::string trimmed(const std::string& text) {
    std::size_t begin = 0;
    std::size_t end = text.size();
    const auto next = [&](std::size_t at) {
        do ++at;
        while (at < text.size() && continues_code_point(text[at]));
        return at;
    };
    const auto previous = [&](std::size_t at) {
        do --at;
        while (at > 0 && continues_code_point(text[at]));
        return at;
    };
    const auto blank = [&](std::size_t from, std::size_t to) {
        return is_blank(code_points(std::string_view(text).substr(from, to - from)).front());
    };
    while (begin < end && blank(begin, next(begin))) begin = next(begin);
    while (begin < end && blank(previous(end), end)) end = previous(end);
    return text.substr(begin, end - begin);
}

/// Stands in an address only as itself; the rest of ASCII quotes, separates or groups addresses.
bool is_address_character(char32_t c) {
    constexpr std::u32string_view special = U"\"(),:;<>[\\]";
    return !is_space(c) && !is_control(c) && special.find(c) == std::u32string_view::npos;
}

bool is_domain_name(std::string_view name) {
    std::size_t labels = 0;
    for (std::size_t begin = 0; begin <= name.size(); ++labels) {
        const auto end = std::min(name.find('.', begin), name.size());
        const auto label = name.substr(begin, end - begin);
        if (label.empty() || label.size() > longest_label || label.front() == '-' || label.back() == '-')
            return false;
        const auto allowed = [](char c) {
            const auto byte = static_cast<unsigned char>(c);
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                   byte >= 0x80;
        };
        if (!std::all_of(label.begin(), label.end(), allowed)) return false;
        begin = end + 1;
    }
    return labels >= 2;
}

/// Whether a provider can be expected to take it; whether it exists only sending tells.
bool is_email(std::string_view email) {
    const auto points = code_points(email);
    if (!std::all_of(points.begin(), points.end(), is_address_character)) return false;
    const auto at = email.find('@');
    if (at == std::string_view::npos || email.find('@', at + 1) != std::string_view::npos) return false;
    const auto local = email.substr(0, at);
    if (local.empty() || local.size() > longest_local_part) return false;
    if (local.front() == '.' || local.back() == '.' || local.find("..") != std::string_view::npos)
        return false;
    return is_domain_name(email.substr(at + 1));
}

/// Applies the rules to one field after the other and collects what they break.
class Review {
public:
    explicit Review(Errors found) : errors_(std::move(found)) {}

    Errors& errors() { return errors_; }

    void refuse(const char* field, const char* code, std::string text) {
        add_once(errors_, {code, field, std::move(text)});
    }

    /// Trims; says whether there is anything left to judge.
    bool required(const char* field, std::string& text) {
        text = trimmed(text);
        if (text.empty()) refuse(field, "required", "is required");
        return !text.empty();
    }

    void line(const char* field, const std::string& text, std::size_t longest) {
        const auto points = code_points(text);
        if (points.size() > longest) {
            refuse(field, "too_long", "must not be longer than " + std::to_string(longest) + " characters");
        } else if (std::any_of(points.begin(), points.end(), is_control)) {
            refuse(field, "invalid_characters", "must not contain control characters or line breaks");
        }
    }

    void optional_line(const char* field, std::optional<std::string>& text, std::size_t longest) {
        if (!text) return;
        text = trimmed(*text);
        if (text->empty()) {
            text.reset();
        } else {
            line(field, *text, longest);
        }
    }

    void date(const char* field, const std::optional<Date>& date) {
        if (date && (*date < earliest_date || *date > latest_date)) {
            refuse(field, "out_of_range",
                   "must be from " + to_string(earliest_date) + " to " + to_string(latest_date));
        }
    }

private:
    Errors errors_;
};

}  // namespace

Result<UserFields> validated(UserFields fields, const CanonicalZone& canonical_zone, const Date& today,
                             Errors found) {
    Review review(std::move(found));
    if (review.required("firstName", fields.first_name))
        review.line("firstName", fields.first_name, longest_name);
    if (review.required("lastName", fields.last_name))
        review.line("lastName", fields.last_name, longest_name);
    if (review.required("email", fields.email)) {
        if (fields.email.size() > longest_email) {
            review.refuse("email", "too_long",
                          "must not be longer than " + std::to_string(longest_email) + " bytes");
        } else if (!is_email(fields.email)) {
            review.refuse("email", "invalid_email", "must be an e-mail address such as ada@example.com");
        }
    }
    if (review.required("timezone", fields.timezone)) {
        if (auto zone = canonical_zone(fields.timezone)) {
            fields.timezone = std::move(*zone);
        } else {
            review.refuse("timezone", "unknown_timezone", "must be an IANA time zone such as Europe/Berlin");
        }
    }
    if (fields.birthday_date && *fields.birthday_date > today) {
        review.refuse("birthdayDate", "in_the_future", "must not be in the future");
    }
    review.date("birthdayDate", fields.birthday_date);
    review.date("anniversaryDate", fields.anniversary_date);
    review.optional_line("locationCity", fields.location_city, longest_place);
    review.optional_line("locationCountry", fields.location_country, longest_place);
    review.optional_line("externalId", fields.external_id, longest_external_id);
    if (!review.errors().empty()) return std::move(review.errors());
    return fields;
}

}  // namespace domain
