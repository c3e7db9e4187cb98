#include "longhaul/process/impl/orders.hpp"

#include <charconv>
#include <utility>

namespace longhaul::process {
namespace {

void put(std::string& out, std::string_view word) {
    out += word;
    out += '\0';
}

template <class Number>
void put_number(std::string& out, std::string_view name, Number value) {
    put(out, name);
    put(out, std::to_string(value));
}

class WordReader {
public:
    explicit WordReader(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end() const { return text_.empty() || failed_; }
    [[nodiscard]] bool failed() const { return failed_; }

    std::string_view word() {
        const auto end = text_.find('\0');
        if (end == std::string_view::npos) {
            failed_ = true;
            return {};
        }
        const auto result = text_.substr(0, end);
        text_.remove_prefix(end + 1);
        return result;
    }

    template <class Number>
    void number(Number& out) {
        const auto text = word();
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
        if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) failed_ = true;
    }

private:
    std::string_view text_;
    bool failed_ = false;
};

void read_identity(std::string_view name, WordReader& reader, Orders& orders) {
    SpawnRequest& request = orders.request;
    if (name == "uid")
        reader.number(request.uid.emplace());
    else if (name == "gid")
        reader.number(request.gid.emplace());
    else if (name == "parent")
        reader.number(orders.parent);
    else if (name == "death")
        reader.number(request.parent_death_signal);
    else if (name == "oom")
        reader.number(request.oom_score_adj);
    else if (name == "privs")
        request.no_new_privs = false;
}

void read_order(std::string_view name, WordReader& reader, Orders& orders) {
    SpawnRequest& request = orders.request;
    if (name == "arg")
        request.argv.emplace_back(reader.word());
    else if (name == "env")
        request.env.emplace_back(reader.word());
    else if (name == "cwd")
        request.cwd = reader.word();
    else if (name == "cgroup")
        request.cgroups.emplace_back(reader.word());
    else if (name == "keep")
        reader.number(request.inherit.emplace_back().as);
    else if (name == "limit") {
        ResourceLimit& limit = request.limits.emplace_back();
        reader.number(limit.resource);
        reader.number(limit.soft);
        reader.number(limit.hard);
    } else
        read_identity(name, reader, orders);
}

}  // namespace

std::string encode_orders(const SpawnRequest& request, pid_t parent) {
    std::string out;
    const auto put_text = [&out](std::string_view name, const std::string& value) {
        put(out, name);
        put(out, value);
    };
    for (const auto& word : request.argv) put_text("arg", word);
    for (const auto& word : request.env) put_text("env", word);
    for (const auto& word : request.cgroups) put_text("cgroup", word);
    if (!request.cwd.empty()) put_text("cwd", request.cwd);
    for (const auto& inherited : request.inherit) put_number(out, "keep", inherited.as);
    for (const auto& limit : request.limits) {
        put_number(out, "limit", limit.resource);
        put(out, std::to_string(limit.soft));
        put(out, std::to_string(limit.hard));
    }
    if (request.uid) put_number(out, "uid", *request.uid);
    if (request.gid) put_number(out, "gid", *request.gid);
    put_number(out, "parent", parent);
    put_number(out, "death", request.parent_death_signal);
    put_number(out, "oom", request.oom_score_adj);
    if (!request.no_new_privs) put(out, "privs");
    return out;
}

Result<Orders> decode_orders(std::string_view text) {
    Orders orders;
    WordReader reader(text);
    while (!reader.at_end()) read_order(reader.word(), reader, orders);
    if (reader.failed() || orders.request.argv.empty())
        return make_error(Errc::invalid_argument, "the trampoline's orders are malformed");
    return orders;
}

}  // namespace longhaul::process
